"""Starts Chainlit's server in this process, as its own command line would."""

import os
from pathlib import Path

APP = Path(__file__).parents[2] / "chainlit_app.py"


def launch(root: Path, host: str, port: int, root_path: str, *, browser: bool) -> None:
    """Serves until told to stop. `root` is the folder that Chainlit takes for the app's own.

    Chainlit's configuration reads the environment when it is imported, so nothing may have imported it
    before.
    """
    os.environ |= {
        "CHAINLIT_APP_ROOT": str(root),
        "CHAINLIT_HOST": host,
        "CHAINLIT_PORT": str(port),
        "CHAINLIT_ROOT_PATH": root_path or os.environ.get("CHAINLIT_ROOT_PATH", ""),
    }
    # To compress each word for a browser on the same machine costs more than it saves.
    os.environ.setdefault("UVICORN_WS_PER_MESSAGE_DEFLATE", "false")

    from chainlit.cli import run_chainlit
    from chainlit.config import config

    config.run.headless = not browser
    run_chainlit(str(APP))
