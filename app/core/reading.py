"""JSON that comes by the token."""

import json
from typing import Any

from pydantic_core import from_json


def read_json(data: bytes) -> Any:
    """The value of that JSON. Raises ValueError.

    Read by pydantic's parser, three times as fast as Python's, which has the last word where the
    other refuses: a model may end a piece with half of a surrogate pair.
    """
    try:
        return from_json(data)
    except ValueError:
        return json.loads(data)
