"""What the gateway's benchmark asks, each in a process of its own: the simulated upstreams, the
gateway, nginx, and LiteLLM's proxy where it is installed (on PATH, or LITELLM_BIN names it)."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import vectors
from tests.processes import (
    Process,
    clean_environment,
    free_port,
    running,
    simulator,
    temporary_folder,
)

PACED = "slow-first-100ms+paced-20ms+len-150"
"""Speaks its first token after 100 ms, then 50 a second, for three seconds."""
BURST = "burst-2000"
SMALL = "say-ok"
WARM = "slow-first-100ms+say-ok"
"""Answers late enough that fifty at once need fifty connections, up to the upstream."""
MODELS = (PACED, BURST, SMALL, WARM)


@dataclass(frozen=True)
class Target:
    """Where to ask, and by which names."""

    name: str
    url: str
    prefix: str = ""
    key: str = "none"

    def body(self, model: str, *, stream: bool) -> bytes:
        messages = [{"role": "user", "content": "Hello there, how are you?"}]
        asked = {"model": self.prefix + model, "messages": messages, "stream": stream}
        return json.dumps(asked).encode()


def gateway_process(
    folder: Path, ollama: Process, openai: Process, many: Process
) -> tuple[Process, str]:
    """The gateway alone, one worker; and a key that it checks."""
    port = free_port()
    environment = clean_environment(
        DATA_DIR=str(folder / "data"),
        OLLAMA_HOST=f"ollama={ollama.url},vectors={many.url}",
        OPENAI_SERVERS=f"gpu={openai.url}/v1,other={openai.url}/v1,many={many.url}/v1",
        LOG_LEVEL="WARNING",
    )
    create = ["keys", "create", "--name", "bench", "--rpm", "100000000", "--tpm", "1000000000"]
    made = subprocess.run(
        [sys.executable, "-m", "app", *create], env=environment, capture_output=True, check=True
    )
    command = [sys.executable, "-m", "app", "gateway", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    process = Process(command, url, environment, folder / "gateway.log", "/health")
    return process, made.stdout.decode().strip()


def nginx_process(folder: Path, upstream: str, many: str) -> Process:
    """nginx as a plain proxy without buffers, one worker, connections kept."""
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        f"""daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
        events {{ worker_connections 1024; }}
        http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
          fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
          upstream sim {{ server {upstream.removeprefix("http://")}; keepalive 64; }}
          client_max_body_size 64m; client_body_buffer_size 1m;
          server {{ listen 127.0.0.1:{port};
            location /v1/embeddings {{ proxy_pass {many}; proxy_buffering off; }}
            location / {{ proxy_pass http://sim; proxy_buffering off; proxy_http_version 1.1;
              proxy_set_header Connection ""; proxy_read_timeout 300; }} }} }}"""
    )
    command = ["nginx", "-c", str(config), "-p", str(folder)]
    url = f"http://127.0.0.1:{port}"
    environment = clean_environment(PATH="/usr/sbin:/usr/bin:/sbin:/bin")
    return Process(command, url, environment, folder / "nginx.out", "/v1/models")


def litellm_process(folder: Path, upstream: str) -> tuple[Process, str] | None:
    """LiteLLM's proxy, one worker, with a key to check; None where it is not installed."""
    command = os.environ.get("LITELLM_BIN") or shutil.which("litellm")
    if command is None:
        return None
    port, key = free_port(), "sk-bench"
    models = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"openai/{name}",
                "api_base": f"{upstream}/v1",
                "api_key": "none",
            },
        }
        for name in MODELS
    ]
    config = folder / "litellm.json"  # JSON is YAML
    config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": key}}))
    arguments = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    environment = clean_environment(LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_LOG="ERROR")
    del environment["PYTHONPATH"]
    url, log = f"http://127.0.0.1:{port}", folder / "litellm.log"
    return Process([command, *arguments], url, environment, log, "/health/liveliness"), key


@dataclass(frozen=True)
class House:
    """All targets, by the names their figures are given under, and who answers at them."""

    targets: dict[str, Target]
    vectors: Mapping[str, Target]
    """Where a thousand vectors are to be had, by the names of those in `targets` that lead there."""
    gateway: Process
    litellm: Process | None


@contextmanager
def house() -> Iterator[House]:
    """Starts everything, and ends it."""
    with temporary_folder() as name, ExitStack() as stack:
        folder = Path(name)
        ollama, openai = simulator("ollama", folder, *MODELS), simulator("openai", folder, *MODELS)
        many = vectors.process(folder)
        stack.enter_context(running(ollama, openai, many))
        gateway, key = gateway_process(folder, ollama, openai, many)
        nginx = nginx_process(folder, openai.url, many.url)
        litellm = litellm_process(folder, openai.url)
        stack.enter_context(running(gateway, nginx, *(litellm[:1] if litellm else ())))
        targets = {
            "upstream": Target("upstream", openai.url),
            "nginx": Target("nginx", nginx.url),
            "passed": Target("gateway, OpenAI", gateway.url, "gpu/", key),
            "stranger": Target(  # over connections of its own: those of `passed` would be warm
                "gateway, a key that nobody knows", gateway.url, "other/", "sk-nobody"
            ),
            "translated": Target("gateway, Ollama", gateway.url, "ollama/", key),
        }
        if litellm:
            targets["litellm"] = Target("LiteLLM", litellm[0].url, key=litellm[1])
        asked = {
            "nginx": Target("nginx", nginx.url, vectors.MODEL),
            "passed": Target("gateway, OpenAI", gateway.url, f"many/{vectors.MODEL}", key),
            "translated": Target("gateway, Ollama", gateway.url, f"vectors/{vectors.MODEL}", key),
        }
        yield House(targets, asked, gateway, litellm[0] if litellm else None)
