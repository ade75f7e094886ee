"""What a GGUF file says of itself, and what is not one."""

import struct
from pathlib import Path

import pytest

from app.providers.embedded.gguf import read_header
from tests.gguf_model import CONTEXT, make_gguf


def test_a_header_is_read_without_the_weights(tmp_path: Path) -> None:
    header = read_header(make_gguf(tmp_path / "babbler.gguf"))
    assert (header.architecture, header.window) == ("llama", CONTEXT)
    assert header.quantization == "F32"
    assert header.size_label is None
    assert "assistant" in header.chat_template


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!DOCTYPE html><html>",
        b"GGUF",
        b"GGUF" + struct.pack("<IQQ", 99, 0, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 1, 2**60),
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**62),
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"a" + struct.pack("<I", 77),
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"a" + struct.pack("<IIQ", 9, 8, 2**63),
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"a" + struct.pack("<IIQ", 9, 9, 2**40),
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"a" + struct.pack("<IIQ", 9, 4, 2**63),
        b"GGUF"
        + struct.pack("<IQQQ", 3, 0, 1, 1)
        + b"a"
        + struct.pack("<I", 9)
        + struct.pack("<IQ", 9, 1) * 5000,
    ],
)
def test_anything_else_is_said_not_to_be_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="GGUF"):
        read_header(path)


def test_a_file_cut_anywhere_in_its_header_is_no_whole_one(tmp_path: Path) -> None:
    whole = make_gguf(tmp_path / "babbler.gguf").read_bytes()
    path = tmp_path / "cut.gguf"
    for length in range(8, 3000, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="GGUF"):
            read_header(path)
