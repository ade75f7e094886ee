"""Files that come with a question: read in a process of their own, within limits, or refused."""

from app.attachments.limits import AttachmentLimits
from app.attachments.reading import (
    File,
    attachment_tokens,
    read_attachment,
    read_attachments,
    unseen,
)
from app.attachments.refusals import refusal_text, silent_text

__all__ = [
    "AttachmentLimits",
    "File",
    "attachment_tokens",
    "read_attachment",
    "read_attachments",
    "refusal_text",
    "silent_text",
    "unseen",
]
