"""A table of sourced constants as TOML, as `hwmodel.sourced.read_table` reads it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hwmodel.validation import StrictModel


def toml_text(model: StrictModel) -> str:
    """All that is not as by default.

    Parameters
    ----------
    model
        A preset or an energy table.
    """
    data = model.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return "\n".join(_lines(data, ())).strip("\n") + "\n"


def _lines(data: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    plain = {key: value for key, value in data.items() if not isinstance(value, dict)}
    if path and plain:
        yield f"\n[{'.'.join(map(_key, path))}]"
    for key, value in plain.items():
        yield f"{_key(key)} = {json.dumps(value, ensure_ascii=False)}"
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _lines(value, (*path, key))


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else json.dumps(name, ensure_ascii=False)
