"""`/diagrams`: a page without an origin and without a network, in which diagrams of answers are drawn
(public/code.js opens it out of sight, and gives it Mermaid and a diagram's text)."""

import secrets
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

PAGE = Path(__file__).with_name("diagrams.html")


def policy(nonce: str) -> str:
    """Nothing is loaded, and of scripts only those run that carry the nonce: the page's own and Mermaid."""
    return "; ".join(
        (
            "sandbox allow-scripts",
            "default-src 'none'",
            f"script-src 'nonce-{nonce}'",
            "style-src 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
        )
    )


def diagrams_router(root: str = "") -> APIRouter:
    """`GET /diagrams`, for whoever comes: there is nothing in it."""
    router = APIRouter(prefix=root, include_in_schema=False)
    page = PAGE.read_text(encoding="utf-8")

    @router.get("/diagrams")
    async def diagrams() -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        headers = {
            "Content-Security-Policy": policy(nonce),
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        return HTMLResponse(page.replace("NONCE", nonce), headers=headers)

    return router
