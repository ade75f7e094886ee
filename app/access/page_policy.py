"""What a page may load and run: its Content-Security-Policy."""

import re
from base64 import b64encode
from hashlib import sha256

_INLINE_SCRIPT = re.compile(
    r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE
)


def page_policy(html: str, *, evaluates: bool = False) -> str:
    """The policy of that page: everything from its own origin, pictures also from memory, and of inline
    scripts just those that are in it now. Nothing that an answer or a name holds makes a request to
    another machine. `evaluates`: its scripts make code of text, as Chainlit's page does of elements and
    of the worklet that records speech."""
    inline = [
        f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
        for script in _INLINE_SCRIPT.findall(html)
    ]
    scripts = " ".join(["'self'", *inline, *(["'unsafe-eval'", "blob:"] if evaluates else [])])
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src {scripts}",
            "style-src 'self' 'unsafe-inline'",  # React writes styles into elements
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' blob: data:",
            "worker-src 'self' blob:",
            "frame-src 'self' blob:",
            "object-src 'self'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        )
    )
