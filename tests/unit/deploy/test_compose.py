"""compose.yaml is a compose file by the schema; what it and the Dockerfile name exists; no secret in it."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from app.settings import CommonSettings, load_settings

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "tests" / "data" / "compose" / "compose_spec.json"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
SECRET = re.compile(r"PASSWORD|SECRET|KEY")


def test_it_is_a_compose_file_by_the_schema() -> None:
    jsonschema.validate(COMPOSE, json.loads(SCHEMA.read_text("utf-8")))


def test_the_chat_and_ollama_come_by_default_and_the_rest_by_profiles() -> None:
    services = COMPOSE["services"]
    assert {name for name, service in services.items() if "profiles" not in service} == {
        "chat",
        "ollama",
    }
    profiles = {profile for service in services.values() for profile in service.get("profiles", ())}
    assert profiles == {"postgres", "replicas", "searxng", "prometheus"}


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_no_secret_is_in_it(name: str) -> None:
    given = COMPOSE["services"][name].get("environment", {})
    secrets = {variable: value for variable, value in given.items() if SECRET.search(variable)}
    assert all(re.fullmatch(r"\$\{\w+(:-|:\?[^}]*)\}", value) for value in secrets.values()), (
        secrets
    )


def test_files_that_it_mounts_exist_and_volumes_are_declared() -> None:
    mounts = [v for s in COMPOSE["services"].values() for v in s.get("volumes", ())]
    for source in (mount.partition(":")[0] for mount in mounts):
        if source.startswith("./"):
            assert (ROOT / source).is_file(), source
        else:
            assert source in COMPOSE["volumes"], source


def test_variables_that_the_chat_gets_are_settings() -> None:
    known = {name.upper() for name in type(load_settings()).model_fields}
    assert known >= {name.upper() for name in CommonSettings.model_fields}
    assert known >= set(COMPOSE["services"]["chat"]["environment"])


@pytest.mark.parametrize("name", ["chat", "replica-one", "replica-two", "gateway"])
def test_the_app_may_write_to_its_volume_alone_and_has_time_to_finish(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["volumes"] == ["data:/data"]
    assert service["cap_drop"] == ["ALL"]
    grace = float(service["stop_grace_period"].removesuffix("s"))
    assert grace > CommonSettings.model_fields["shutdown_grace_seconds"].default


def test_the_image_is_not_root_and_what_it_copies_is_let_in() -> None:
    assert re.search(r"^USER konsilium$", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^VOLUME /data$", DOCKERFILE, re.MULTILINE)
    assert "HEALTHCHECK" in DOCKERFILE
    allowed = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {"!app", "!public", "!deploy", "!requirements.txt"} <= set(allowed)
    for script in re.findall(r"deploy/(\w+\.\w+)", DOCKERFILE):
        assert (ROOT / "deploy" / script).is_file()
