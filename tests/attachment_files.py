"""Files to attach: good ones, and bombs."""

import io
import zipfile
import zlib

from docx import Document
from PIL import Image
from pypdf import PdfReader, PdfWriter

MEGABYTE = 1_000_000


def a_raw_pdf(content, filter=b""):
    """A PDF of one page with that content stream."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1"
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
        b"<<%s/Length %d>>stream\n%s\nendstream" % (filter, len(content), content),
    )
    body, table = b"%PDF-1.4\n", b"xref\n0 5\n0000000000 65535 f \n"
    for number, text in enumerate(objects, 1):
        table += b"%010d 00000 n \n" % len(body)
        body += b"%d 0 obj%s\nendobj\n" % (number, text)
    return body + table + b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(body)


def a_pdf(*pages):
    """A PDF with a line of text a page."""
    writer, buffer = PdfWriter(), io.BytesIO()
    for text in pages:
        content = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET" if text else ""
        writer.append(PdfReader(io.BytesIO(a_raw_pdf(content.encode()))))
    writer.write(buffer)
    return buffer.getvalue()


def a_png(width, height, **options):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "PNG", **options)
    return buffer.getvalue()


def a_huge_png(side):
    """A PNG of side x side pixels in a few hundred bytes of zeros, well-formed."""

    def chunk(kind, body):
        crc = zlib.crc32(kind + body)
        return len(body).to_bytes(4, "big") + kind + body + crc.to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    line = zlib.compressobj(9)
    row = b"\0" * (1 + 3 * side)
    pixels = b"".join(line.compress(row) for _ in range(side)) + line.flush()
    parts = (b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def a_docx():
    document = Document()
    document.add_heading("Plan", 1)
    document.add_paragraph("Привет from Word")
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "price", "42"
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def a_bomb(megabytes, name="word/document.xml"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        if name != "word/document.xml":
            archive.writestr("word/document.xml", "<w/>")
        with archive.open(name, "w", force_zip64=True) as part:
            for _ in range(megabytes):
                part.write(b"\0" * MEGABYTE)
    return buffer.getvalue()
