"""The built wheel, installed outside the checkout, is the whole product."""

import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT, Process, clean_environment, free_port, running


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("konsilium-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment with the wheel and, by reference, what it depends on."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    programs = Path(sysconfig.get_path("scripts", "venv", {"base": str(folder)}))
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "-q"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return programs


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def environment(home: Path) -> dict[str, str]:
    """A person's environment that knows nothing of the checkout."""
    kept = clean_environment(HOME=str(home), OLLAMA_HOST="http://127.0.0.1:9", APP_LANGUAGE="en")
    return {k: v for k, v in kept.items() if k not in ("PYTHONPATH", "DATA_DIR", "XDG_DATA_HOME")}


@pytest.fixture(scope="module")
def app(installed: Path, home: Path) -> Iterator[Process]:
    port = free_port()
    command = [str(installed / "konsilium"), "run", "--no-browser", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    process = Process(command, url, environment(home), home / "app.log", folder=home)
    with running(process):
        yield process


def test_it_holds_the_page_the_migrations_and_our_translations_alone(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "app/page/public/konsilium.js",
        "app/page/.chainlit/config.toml",
        "app/page/chainlit_ru-RU.md",
        "app/storage/migrations/versions/0001_initial.py",
        "app/core/models.toml",
    } <= names
    translations = {Path(n).name for n in names if "/translations/" in n}
    assert translations == {"en-US.json", "ru-RU.json", "uk-UA.json"}
    assert not [name for name in names if name.startswith(("tests/", "bench/", "data/"))]


@pytest.mark.parametrize(
    "path",
    ["/", "/public/konsilium.css", "/public/elements/Guide.jsx", "/avatars/gemma2", "/health"],
)
def test_installed_it_serves_the_chat_from_any_folder(app: Process, path: str) -> None:
    with urllib.request.urlopen(app.url + path, timeout=10) as answer:  # noqa: S310  # loopback
        assert answer.status == 200


def test_its_data_is_in_the_users_data_folder(app: Process, home: Path) -> None:
    found = [path.parent.name for path in home.rglob("konsilium.db")]
    assert found == ["konsilium"]
    assert not (home / "data").exists()


def test_it_administers_too(installed: Path, home: Path, app: Process) -> None:
    done = subprocess.run(
        [installed / "konsilium", "doctor"],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ollama" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_said_with_another_one(
    installed: Path, home: Path, app: Process
) -> None:
    port = app.url.rpartition(":")[2]
    done = subprocess.run(
        [installed / "konsilium", "run", "--no-browser", "--port", port],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert int(done.stderr.rpartition("--port ")[2]) > int(port)
    with urllib.request.urlopen(app.url, timeout=10) as answer:  # noqa: S310  # loopback
        assert answer.status == 200, "the first one is not harmed"
