"""Configs with mistakes of every kind, at random places."""

import copy
import random
from collections.abc import Iterator
from typing import Any

ODD: list[Any] = [
    None, -1, 0, 2.5, 10**12, 1e20, float("nan"), float("inf"), True, "", "true", "a:b", "..:..", "../x",
    "x" * 300, "\0", "ü", [], [None], [[1]], ["a:b"], {}, {"": 1}, {"name": None}, {"name": ["a"]},
    {"name": "x"}, {"name": {"a": 1}},
]  # fmt: skip
"""Values that belong nowhere, or not everywhere."""


def mutated(content: dict[str, Any], seed: int) -> dict[str, Any]:
    """A copy with one or two values replaced, taken away or renamed."""
    chance, found = random.Random(seed), copy.deepcopy(content)
    for _ in range(chance.choice((1, 1, 2))):
        *above, last = chance.choice([*_places(found)])
        holder: Any = found
        for key in above:
            holder = holder[key]
        match chance.choice(("set", "set", "delete", "rename")):
            case "set":
                holder[last] = copy.deepcopy(chance.choice(ODD))
            case "rename" if isinstance(holder, dict):
                holder[f"{last}{chance.choice('x: /')}"] = holder.pop(last)
            case _:
                del holder[last]
    return found


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Keys and positions that lead to each value within."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*above, key)
        if isinstance(inner, dict | list):
            yield from _places(inner, (*above, key))
