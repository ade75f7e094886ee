"""Whether an address can be reached from here, before anybody tries something in vain."""

import asyncio

from yarl import URL

from app.providers.deadline import CLOUD
from app.providers.transport import LOST, AiohttpTransport

LOOK_SECONDS = 2.5


async def reachable(url: str) -> bool:
    """Whether anything answers there over HTTP, whatever its status, within 2.5 s; the environment's
    proxies are used as for any cloud. No key is sent."""
    transport = AiohttpTransport(CLOUD, local=False)
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            response = await transport.send("HEAD", URL(url), (("user-agent", "konsilium"),), b"")
            response.close()
    except (*LOST, ValueError):
        return False
    finally:
        await transport.aclose()
    return True
