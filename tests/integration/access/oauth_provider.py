"""An OAuth provider in a thread: whoever comes to it is `person`, and has agreed already."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT, SECRET, CODE, TOKEN = "konsilium", "the client's secret", "a-code", "a-token"


class Provider(ThreadingHTTPServer):
    """The authorization code flow of RFC 6749, 4.1."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.person = "carol@example.com"
        self.facts: dict[str, Any] = {"email_verified": True}

    @property
    def environment(self) -> dict[str, str]:
        """What makes Chainlit's `generic` provider this one."""
        url = f"http://127.0.0.1:{self.server_port}"
        values = {"CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET, "SCOPES": "email"}
        values |= {"AUTH_URL": f"{url}/authorize", "TOKEN_URL": f"{url}/token"}
        values |= {"USER_INFO_URL": f"{url}/userinfo"}
        return {f"OAUTH_GENERIC_{name}": value for name, value in values.items()}


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        """The person's browser, sent here to agree; and the app, asking who they are."""
        address = urlsplit(self.path)
        if address.path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(address.query).items()}
            answer = urlencode({"code": CODE, "state": asked["state"]})
            self.send_response(302 if asked["client_id"] == CLIENT else 400)
            self.send_header("Location", f"{asked['redirect_uri']}?{answer}")
            self.end_headers()
        elif self.headers["Authorization"] == f"Bearer {TOKEN}":
            self._say(200, {"email": self.server.person, **self.server.facts})
        else:
            self._say(401, {})

    def do_POST(self) -> None:
        """The app changes the code for a token."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        sent = {name: values[0] for name, values in parse_qs(body).items()}
        right = sent["code"] == CODE and sent["client_secret"] == SECRET
        self._say(200 if right else 400, {"access_token": TOKEN} if right else {})

    def _say(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextlib.contextmanager
def oauth_provider() -> Iterator[Provider]:
    """One that serves for as long as the `with`."""
    with Provider() as provider:
        serving = threading.Thread(target=provider.serve_forever)
        serving.start()
        try:
            yield provider
        finally:
            provider.shutdown()
            serving.join()
