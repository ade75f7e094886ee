"""A real nginx from Debian's package, with the configuration of `deploy/`, on a free port."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.processes import ROOT, free_port
from tests.waiting import wait_until

BINARY = shutil.which("nginx") or "/usr/sbin/nginx"
MAIN = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""


def address(url: str) -> str:
    """Host and port of a URL."""
    return url.partition("://")[2]


def site(port: int, replicas: Sequence[str], gateway: str, *, sticky: bool) -> str:
    """deploy/nginx.conf with real addresses in place of Docker's names. Not `sticky`, replicas are asked
    in turn."""
    conf = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    one, two = (address(url) for url in replicas)
    for before, after in (
        ("replica-one:8001", one),
        ("replica-two:8002", two),
        ("~:8001$", f"~:{one.partition(':')[2]}$"),
        ("~:8002$", f"~:{two.partition(':')[2]}$"),
        ("gateway:8000", address(gateway)),
        ("listen 8080", f"listen 127.0.0.1:{port}"),
        ("http://$replica;", "http://$replica;" if sticky else "http://any;"),
        ("least_conn;", "least_conn;" if sticky else ""),
    ):
        assert before in conf, before
        conf = conf.replace(before, after)
    return conf


@contextlib.contextmanager
def running_nginx(replicas: Sequence[str], gateway: str, *, sticky: bool = True) -> Iterator[str]:
    """nginx before those; its URL."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="konsilium-nginx-") as name:
        folder = Path(name)
        conf = folder / "nginx.conf"
        own = site(port, replicas, gateway, sticky=sticky)
        conf.write_text(MAIN.format(folder=folder, site=own), "utf-8")
        log = (folder / "out.log").open("wb")
        process = subprocess.Popen([BINARY, "-c", str(conf), "-p", name], stdout=log, stderr=log)
        try:
            wait_until(lambda: (folder / "nginx.pid").exists() or process.poll() is not None)
            if process.poll() is not None:
                said = (folder / "out.log").read_text("utf-8")
                raise RuntimeError(f"nginx does not start: {said}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()
            log.close()
