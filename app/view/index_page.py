"""The page itself, kept at home: what Chainlit's index.html would fetch from other machines goes."""

import re

_LINK = re.compile(r"<link\b[^>]*>\s*", re.IGNORECASE)
_META_IMAGE = re.compile(r'\s*<meta\s+property="og:(?:image|url)"[^>]*>', re.IGNORECASE)
_AWAY = re.compile(r'href\s*=\s*["\']?\s*(?:https?:)?//', re.IGNORECASE)


def clean_index(html: str) -> str:
    """The page without links to other machines (KaTeX' styles, fonts, preconnects) and without the
    preview picture and address that name Chainlit's."""
    html = _LINK.sub(lambda link: "" if _AWAY.search(link[0]) else link[0], html)
    return _META_IMAGE.sub("", html)
