"""A file is what its bytes say; what it is refused for can be said in every language."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from app.attachments import attachment_tokens, refusal_text
from app.attachments.kinds import READABLE, claimed_kind, found_kind
from app.attachments.refusals import REASONS, TEXTS
from app.core.errors import AttachmentRefused
from app.core.messages import ImagePart
from app.core.text import LANGUAGES
from app.core.turns import Attachment

ROOT = Path(__file__).resolve().parents[3]
FACTS: dict[str, Any] = {
    "name": "x.pdf",
    "limit": 10,
    "size_mb": 200,
    "limit_mb": 20,
    "claimed": "pdf",
    "found": "image",
    "pages": 5000,
    "width": 20_000,
    "height": 20_000,
    "model": "gemma2:2b",
    "seconds": 30,
}


@pytest.mark.parametrize(
    ("name", "mime", "kind"),
    [
        ("report.PDF", "application/octet-stream", "pdf"),
        ("main.ts", "video/mp2t", "text"),
        ("table.csv", "application/vnd.ms-excel", "text"),
        ("photo", "image/jpeg", "image"),
        ("notes", "text/plain; charset=utf-8", "text"),
        ("song.mp3", "audio/mpeg", "binary"),
        ("sheet.xlsx", "", "xlsx"),
        ("talk.pptx", "", "pptx"),
        ("book.epub", "", "epub"),
        ("bundle.odt", "", "zip"),
        ("Makefile", "", "text"),
        (".env", "", "text"),
        ("subtitles.srt", "application/x-subrip", "text"),
        ("picture.svg", "image/svg+xml", "text"),
        ("unheard.of", "", None),
    ],
)
def test_the_name_says_more_than_the_browser(name, mime, kind):
    assert claimed_kind(name, mime) == kind


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"%PDF-1.7\n", "pdf"),
        (b"\xef\xbb\xbf\n%PDF-1.4", "pdf"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "image"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "image"),
        (b"\0\0\0\x24ftypheic\0\0\0\0mif1heic", "heic"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "binary"),
        (b"MZ\x90\0\x03\0", "binary"),
        (b"PK\x03\x04\x14\0", "zip"),
        (b"BM is how this note begins, and MZ too", "text"),
        ("Привет".encode(), "text"),
        ("Привет".encode("utf-16"), "text"),
        ("Привет, мир\n".encode("utf-16-le"), "text"),
        ("Größe".encode("utf-16-be"), "text"),
        (b"\0\0\0\0\0\0", "binary"),
        (b"\4\0\0\0\1\0\2\0", "binary"),
        ("Привет".encode("cp1251"), "text"),
        (bytes(range(256)), "binary"),
    ],
)
def test_the_first_bytes_tell_what_it_is(head, kind):
    assert found_kind(head) == kind


def test_a_zip_with_a_document_in_it_is_a_docx():
    assert found_kind(b"PK\x03\x04", frozenset({"word/document.xml"})) == "docx"


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_can_be_said_in_every_language(reason):
    text = refusal_text(reason, FACTS)
    assert set(TEXTS) == set(REASONS)
    for language in LANGUAGES:
        assert text[language]
        assert "{" not in text[language]
    assert reason == "too_many" or "x.pdf" in text.en


def test_the_kinds_in_a_refusal_are_said_in_its_language():
    refused = AttachmentRefused(reason="type_mismatch", name="a.pdf", claimed="pdf", found="image")
    text = refusal_text(refused.reason, refused.facts)
    assert "документ PDF" in text.ru
    assert "изображение" in text.ru
    assert "зображення" in text.uk
    assert "an image" in text.en


def test_the_cost_in_tokens_is_that_of_the_text_or_of_an_image():
    def file(text, image=None):
        return Attachment("e", "n", "m", text, image)

    def words(text):
        return len(text.split())

    assert attachment_tokens(file("four words are here"), words) == 4
    assert attachment_tokens(file(None, ImagePart(b"", "image/png")), words) == 768


@pytest.mark.parametrize(
    "name", [".gitignore", ".env", ".npmrc", "Dockerfile", "subtitles.ass", "module.bsl", "a.json5"]
)
def test_text_is_known_by_the_names_that_people_give_it(name: str):
    assert claimed_kind(name, "application/octet-stream") == "text"


def test_what_may_be_uploaded_is_what_is_read():
    config = tomllib.loads((ROOT / ".chainlit" / "config.toml").read_text("utf-8"))
    assert config["features"]["spontaneous_file_upload"]["accept"] == {"*/*": list(READABLE)}
    for ending in READABLE:
        assert claimed_kind(f"a{ending}" if ending.startswith(".") else ending, "") in (
            "text",
            "pdf",
            "docx",
            "pptx",
            "xlsx",
            "epub",
            "image",
        )
