"""Turn the first fault pydantic finds into one readable line."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

_LONGEST_VALUE = 60


class StrictModel(BaseModel):
    """Base of every schema: immutable, no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def inconsistent(path: Sequence[str | int], got: object, expected: str) -> PydanticCustomError:
    """Error about a value nested below the field being validated.

    Parameters
    ----------
    path
        Where the value is, relative to that field, such as ``("k",)`` or ``(3, "name")``.
    got
        The offending value.
    expected
        What it should be, starting with "should".

    Returns
    -------
    PydanticCustomError
        To be raised inside a validator; `describe` reads its path.
    """
    return PydanticCustomError(
        "inconsistent", "{expected}", {"path": path, "got": got, "expected": expected}
    )


def _join(location: Sequence[str | int]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def _shorten(value: Any) -> str:
    try:
        text = json.dumps(value, default=str)
    except RecursionError:
        text = "[[...]]"
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."


def _explain(error: ErrorDetails) -> str:
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "extra_forbidden":
        return "is not a known key"
    if error["type"] == "json_invalid":
        return error["msg"]
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    got = error.get("ctx", {}).get("got", error["input"])
    return f"{message}, got {_shorten(got)}"


def describe(error: ValidationError) -> str:
    """Describe the first fault as ``field: what is wrong, got value``.

    Parameters
    ----------
    error
        What pydantic raised.

    Returns
    -------
    str
        One line, without the file's name.
    """
    first = error.errors(include_url=False)[0]
    location = _join((*first["loc"], *first.get("ctx", {}).get("path", ())))
    return f"{location}: {_explain(first)}" if location else _explain(first)
