"""YAML whose words mean what they do in YAML 1.2: PyYAML's are those of 1.1.

There 1e-3 is a text, 010 is eight, 3:20 two hundred, and a key called ``no`` is False.
"""

import re
from typing import Any

import yaml

_MEANINGS = [
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F]+", [*"-+0123456789"]),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9_]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        [*"-+.0123456789"],
    ),
    ("merge", r"<<", ["<"]),
]
"""Type, what is one when it stands without quotes, and how that may begin; the first counts."""


class PlainLoader(yaml.SafeLoader):
    """Loader of YAML 1.2's core schema, less its octal numbers; 1_000 and merging stay."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _name, _words, _begin in _MEANINGS:
    PlainLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(rf"^(?:{_words})$"), _begin
    )


def value(text: str) -> Any:
    """What a text says.

    Raises
    ------
    yaml.YAMLError
        If it is no YAML.
    """
    return yaml.load(text, PlainLoader)
