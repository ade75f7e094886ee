"""What a file is: by its name, and by its first bytes, which do not lie."""

from pathlib import PurePath
from typing import Literal

from app.core.reading import utf16_without_mark

Kind = Literal["text", "pdf", "docx", "pptx", "xlsx", "epub", "image", "heic", "zip", "binary"]

# fmt: off
_TEXT_SUFFIXES = (
    ".txt", ".md", ".markdown", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".yaml", ".yml", ".toml",
    ".ini", ".cfg", ".conf", ".log", ".xml", ".html", ".htm", ".css", ".scss", ".py", ".pyi",
    ".ipynb", ".js", ".jsx", ".mjs", ".ts", ".tsx", ".vue", ".svelte", ".java", ".kt", ".scala",
    ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".go", ".rs", ".rb", ".php", ".pl", ".lua", ".r",
    ".swift", ".dart", ".sh", ".bash", ".zsh", ".ps1", ".bat", ".sql", ".tex", ".bib", ".srt",
    ".vtt", ".diff", ".patch", ".svg", ".cmake", ".gradle", ".proto", ".graphql", ".env",
    ".properties", ".tf", ".ex", ".exs", ".erl", ".hs", ".clj", ".fs", ".m", ".asm", ".nim", ".zig", ".sol",
    ".awk", ".adoc", ".org", ".po", ".ics", ".vcf", ".eml", ".geojson", ".ndjson", ".lock",
    ".mdx", ".qmd", ".rmd", ".json5", ".jsonc", ".plist", ".xsd", ".xsl", ".xslt", ".wsdl", ".rss", ".atom",
    ".opml", ".kml", ".gpx", ".less", ".sass", ".cts", ".mts", ".cxx", ".hxx", ".inl", ".groovy", ".jl", ".f90",
    ".pas", ".vb", ".vbs", ".cmd", ".fish", ".mk", ".ml", ".mli", ".elm", ".v", ".sv", ".vhd", ".tcl", ".el",
    ".lisp", ".scm", ".rkt", ".coffee", ".pug", ".hbs", ".jinja", ".j2", ".tpl", ".hcl", ".nix", ".bzl",
    ".prisma", ".feature", ".http", ".puml", ".mmd", ".gv", ".reg", ".inf", ".service", ".desktop", ".bsl",
    ".csproj", ".sln", ".mod", ".sum", ".ass", ".lrc", ".sbv", ".textile", ".tsql", ".ddl", ".editorconfig",
    ".gitignore", ".gitattributes", ".dockerignore", ".npmrc",
)
_NAMES = (
    "dockerfile", "makefile", "jenkinsfile", "procfile", "gemfile", "license", "readme", "containerfile",
    "vagrantfile", "changelog", "authors", "notice",
)
# fmt: on
"""Text files that have no suffix."""
_HIDDEN = (".env", ".editorconfig", ".gitignore", ".gitattributes", ".dockerignore", ".npmrc")
"""Those whose whole name looks like one."""
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif")
READABLE = (".pdf", ".docx", ".pptx", ".xlsx", ".epub", *_IMAGE_SUFFIXES, *_TEXT_SUFFIXES, *_NAMES)
"""The endings of the names of all files that are read: what an upload may be called."""
_BY_SUFFIX: dict[str, Kind] = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".pptx": "pptx",
    ".xlsx": "xlsx",
    ".epub": "epub",
    **dict.fromkeys(_IMAGE_SUFFIXES, "image"),
    **dict.fromkeys((".heic", ".heif"), "heic"),
    **dict.fromkeys((".zip", ".odt", ".jar", ".gz", ".7z", ".rar"), "zip"),
    **dict.fromkeys(
        (".doc", ".xls", ".exe", ".dll", ".so", ".mp3", ".mp4", ".wav", ".ogg", ".avi", ".mov"),
        "binary",
    ),
    **dict.fromkeys(_TEXT_SUFFIXES, "text"),
}
_BY_WHOLE_NAME: dict[str, Kind] = dict.fromkeys((*_HIDDEN, *_NAMES), "text")
_BY_MIME: dict[str, Kind] = {
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/epub+zip": "epub",
    "application/json": "text",
    "application/xml": "text",
    "image/svg+xml": "text",
    "application/zip": "zip",
}
_PARTS: dict[str, Kind] = {
    "word/document.xml": "docx",
    "ppt/presentation.xml": "pptx",
    "xl/workbook.xml": "xlsx",
    "META-INF/container.xml": "epub",
}
"""Members by which an archive is told to be a document."""
_IMAGE_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""Of the box `ftyp` with which such a file begins (ISO/IEC 23008-12); an AVIF's is `avif` or `avis`."""
_BINARY_MAGIC = (b"MZ", b"\x7fELF", b"\xd0\xcf\x11\xe0", b"ID3", b"OggS", b"Rar!", b"\x1f\x8b")
HEAD_BYTES = 4096


def claimed_kind(name: str, mime: str) -> Kind | None:
    """What the name says, else what the browser says; None where neither is known to us."""
    by_name = _BY_SUFFIX.get(PurePath(name).suffix.lower()) or _BY_WHOLE_NAME.get(name.lower())
    mime = mime.partition(";")[0].strip().lower()
    if by_name or mime in _BY_MIME:
        return by_name or _BY_MIME[mime]
    match mime.partition("/")[0]:
        case "text":
            return "text"
        case "image":
            return "image"
        case "audio" | "video":
            return "binary"
        case _:
            return None


def found_kind(head: bytes, names: frozenset[str] = frozenset()) -> Kind:
    """What the first HEAD_BYTES are; `names` are the members of a zip, where it is one."""
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return next((kind for part, kind in _PARTS.items() if part in names), "zip")
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return "image" if b"avif" in head[16:64] else "heic"
    avif = head[4:12] in (b"ftypavif", b"ftypavis")
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    if avif or webp or (head.startswith(_IMAGE_MAGIC) and not _is_text(head)):
        return "image"
    if head.startswith(_BINARY_MAGIC) and not _is_text(head):
        return "binary"
    return "text" if _is_text(head) else "binary"


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16 says so itself
        return True
    if utf16_without_mark(head[: len(head) // 2 * 2]):
        return True
    control = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)
    return b"\0" not in head and control <= len(head) // 100
