"""Vectors are taken out of an answer as it comes, wherever it is cut, and their text is the server's own."""

import json
import time
from collections.abc import AsyncIterator

import pytest

from app.core.vectors import MAX_BYTES, ExtractedArrays, Vectors, lifted

ANSWERS = [
    {"model": "m", "embeddings": [[0.1, -2, 3e-07], [1]], "prompt_eval_count": 3},
    {"data": [{"index": 1, "embedding": [1.5]}, {"index": 0, "embedding": [-0.25, 7]}]},
    {"embeddings": []},
    {"error": "no such model [1]"},
]


async def cut(text: bytes, step: int) -> AsyncIterator[bytes]:
    for start in range(0, len(text), step):
        yield text[start : start + step]


async def read(text: bytes, step: int = 5) -> ExtractedArrays:
    return await lifted(cut(text, step))


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
async def test_vectors_are_what_the_server_wrote_however_it_is_cut(step: int) -> None:
    for indent in (None, 1):
        first, second, nothing, error = (json.dumps(one, indent=indent).encode() for one in ANSWERS)
        said = await read(first, step)
        vectors = Vectors([said.text(place) for place in said.answer["embeddings"]])
        assert vectors == [[0.1, -2, 3e-07], [1]]
        assert all(text in first for text in vectors.texts)
        assert said.answer["prompt_eval_count"] == 3
        said = await read(second, step)
        assert [
            (row["index"], json.loads(said.text(row["embedding"]))) for row in said.answer["data"]
        ] == [
            (1, [1.5]),
            (0, [-0.25, 7]),
        ]
        assert (await read(nothing, step)).answer == {"embeddings": []}
        assert "no such model" in (await read(error, step)).answer["error"]


async def test_what_is_no_vector_is_none() -> None:
    said = await read(b'{"embeddings": [[1, null], ["x"], 7, 0, true, [1, NaN], [1]]}')
    *others, last = said.answer["embeddings"]
    assert said.text(last) == b"[1]"
    for place in others:
        with pytest.raises(TypeError):
            said.text(place)
    huge = b"[[1,,2], [1-2], [1e999], [1e300], [-1e39, 1], [1%s]]" % (b"0" * 400)
    said = await read(b'{"embeddings": %s}' % huge)
    assert len(said.answer["embeddings"]) == 6
    for place in said.answer["embeddings"]:
        with pytest.raises(ValueError):  # noqa: PT011 - of whatever parser
            Vectors([said.text(place)])[0]


@pytest.mark.parametrize("step", [1, 7, 1000])
async def test_an_error_has_all_of_its_words(step: int) -> None:
    said = await read(b'{"error": "longer than [4096], not [1, 2]", "embeddings": [[7]]}', step)
    assert said.answer["error"] == "longer than [4096], not [1, 2]"
    for place in said.answer["embeddings"]:
        with pytest.raises(TypeError):
            said.text(place)


async def test_a_vector_that_comes_in_very_small_pieces_is_soon_read() -> None:
    vector = b"[" + b"1.5," * 100_000 + b"2]"
    before = time.process_time()
    said = await read(b'{"embeddings": [%s]}' % vector, 10)
    assert time.process_time() - before < 2
    assert said.text(said.answer["embeddings"][0]) == vector


@pytest.mark.parametrize("text", [b"<html>", b'{"embeddings": [[1, 2', b"[" + b"1," * MAX_BYTES])
async def test_an_answer_that_is_no_json_or_has_no_end_is_an_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever parser
        await read(text, 200_000)


def test_vectors_of_numbers_are_those_numbers() -> None:
    vectors = Vectors.of([[1, 2.5], [3]])
    assert len(vectors) == 2
    assert vectors[1] == [3.0]
    assert vectors[:1] == [[1.0, 2.5]]
    assert vectors == [[1.0, 2.5], [3.0]]
