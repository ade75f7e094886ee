"""Identifiers that nobody can guess."""

import os

_BATCH = 256
_drawn: list[str] = []
"""Random numbers of 128 bits, in hexadecimal: to ask the system for each takes longer than all else of it."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawn.clear)  # a child must not give out its parent's


def random_hex() -> str:
    """32 digits."""
    try:
        return _drawn.pop()
    except IndexError:
        digits = os.urandom(16 * _BATCH).hex()
        _drawn.extend(digits[at : at + 32] for at in range(32, len(digits), 32))
        return digits[:32]


def new_id() -> str:
    """A fresh identifier: UUID version 4, as the browser makes them too."""
    digits = random_hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
