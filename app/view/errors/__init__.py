"""Every error in words a person can act on: what happened, and what to do about it."""

from app.view.errors.card import ADVICE, advice_for
from app.view.errors.joining import join_failed, pull_failed

__all__ = ["ADVICE", "advice_for", "join_failed", "pull_failed"]
