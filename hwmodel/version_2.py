"""Injections as ``layers.json`` of version 2 had them, by the names of their parts.

What the names stand for is in ``layers_version_2.toml``.
"""

import json
import tomllib
from functools import cache
from math import comb
from pathlib import Path
from typing import Any

from hwmodel.errors import UserError
from hwmodel.metrics import ceil_log2

VERSION, FOLLOWS = 2, 3
_VOCABULARY = Path(__file__).with_name("layers_version_2.toml")
_PARTS = ("projection", "selection", "noise")


def translated(injection: dict[str, Any], channels: int, d: int, neurons: int) -> dict[str, Any]:
    """An injection in the terms of version 3.

    Parameters
    ----------
    injection
        JSON data of version 2.
    channels, d
        Input channels, and inputs of one neuron, of a group.
    neurons
        At one position.

    Raises
    ------
    UserError
        With the field, for a name that version 2 did not have, or a field that does not go with it.
    """
    rest, vocabulary = dict(injection), _vocabulary()
    names = {part: rest.pop(part, vocabulary["defaults"].get(part)) for part in _PARTS}
    kinds = {part: _kind(part, name) for part, name in names.items()}
    given = {
        field: _taken(rest, field, part, kinds[part])
        for field, part in vocabulary["fields"].items()
    }
    if "fraction" in kinds["selection"]:
        rest["fraction"] = kinds["selection"]["fraction"]
    rest["k_c"] = given["k_c"]
    return rest | {
        "projection": _projection(names["projection"], kinds["projection"], rest, channels, d),
        "selection": _selection(names["selection"], kinds["selection"], given, neurons),
        "noise": {
            "name": names["noise"],
            "uses": kinds["noise"]["uses"],
            "randomised": kinds["noise"].get("randomised", False),
            "pool": 1 if given["pool"] is None else given["pool"],
        },
    }


@cache
def _vocabulary() -> dict[str, Any]:
    return tomllib.loads(_VOCABULARY.read_text(encoding="utf-8"))


def _kind(part: str, name: Any) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = _vocabulary()[part]
    if not isinstance(name, str) or name not in kinds:
        known = ", ".join(kinds)
        raise _fault(part, f"should be one of {known} in version 2", name)
    return kinds[name]


def _taken(rest: dict[str, Any], field: str, part: str, kind: dict[str, Any]) -> Any:
    """The value of a field that some kinds have; None for the others, which must not have it."""
    value, default = rest.pop(field, None), _vocabulary()["defaults"].get(field)
    if field not in kind.get("takes", ()):
        if value not in (None, default):
            raise _fault(field, f"should be {json.dumps(default)} for this {part}", value)
        return None
    if value is None and default is None:
        raise _fault(field, f"should be given for this {part}", value)
    return default if value is None else value


def _projection(
    name: str, kind: dict[str, Any], sizes: dict[str, Any], channels: int, d: int
) -> dict[str, Any]:
    found = {"name": name, "real": kind["real"], "nonzero_bits": None}
    if not kind["real"]:
        columns = d if sizes["k_c"] is None else channels
        indexed = columns if kind["index"] == "column" else _count(sizes, "k")
        found["nonzero_bits"] = ceil_log2(indexed) + 1
    return found


def _selection(
    name: str, kind: dict[str, Any], given: dict[str, Any], neurons: int
) -> dict[str, Any]:
    tile, n_of_m = kind["tile"], None
    if isinstance(tile, str):
        tile = dict(zip(("channels", "positions"), _pair(given, tile), strict=True))
    if "n_of_m" in kind:
        n_of_m = _pair(given, kind["n_of_m"])
    counts = {"neurons": neurons, "pairs": _pairs(neurons, n_of_m[1]) if n_of_m else 0, None: 0}
    return {
        "name": name,
        "judges": kind["judges"],
        "algorithm": given["algorithm"],
        "comparisons": counts[kind.get("comparisons")],
        "additions": counts[kind.get("additions")],
        "tile": tile,
        "n_of_m": n_of_m,
        "adjustable": kind["adjustable"],
        "randomised": kind.get("randomised", False),
    }


def _pairs(neurons: int, group: int) -> int:
    """Pairs within groups of so many neighbours, of which the last may be smaller."""
    groups, rest = divmod(neurons, group)
    return groups * comb(group, 2) + comb(rest, 2)


def _count(values: dict[str, Any], field: str) -> int:
    value = values.get(field)
    if type(value) is not int or value < 1:
        raise _fault(field, "should be a whole number of 1 or more", value)
    return value


def _pair(values: dict[str, Any], field: str) -> tuple[int, int]:
    value = values[field]
    if not isinstance(value, list) or [type(part) for part in value] != [int, int] or value[1] < 1:
        raise _fault(field, "should be two whole numbers, the second 1 or more", value)
    return value[0], value[1]


def _fault(field: str, expected: str, value: Any) -> UserError:
    return UserError(f"{field}: {expected}, got {json.dumps(value)}")
