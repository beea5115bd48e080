"""Text is UTF-8 whatever the locale says: who opens a file as text names its encoding."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OPENERS = {"read_text": 0, "write_text": 1, "open": 2}
"""Method or function -> place of the encoding among the arguments of the method."""
NO_TEXT = {"Image", "os", "arrays"}
"""Modules and archives whose ``open`` gives no text."""


def without_encoding(source: str) -> list[int]:
    """Lines that open a file as text in the encoding of the locale."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and _of_the_locale(node)
    ]


def _of_the_locale(call: ast.Call) -> bool:
    is_method = isinstance(call.func, ast.Attribute)
    name = call.func.attr if is_method else getattr(call.func, "id", None)
    if name not in OPENERS or (not is_method and name != "open"):
        return False
    if is_method and getattr(call.func.value, "id", None) in NO_TEXT:
        return False
    modes = [a.value for a in [*call.args, *(k.value for k in call.keywords if k.arg == "mode")]
             if isinstance(a, ast.Constant)]  # fmt: skip
    if name == "open" and any("b" in mode for mode in modes if isinstance(mode, str)):
        return False
    named = any(keyword.arg == "encoding" for keyword in call.keywords)
    return not named and len(call.args) <= OPENERS[name] + (not is_method)


@pytest.mark.parametrize("package", ["nenni", "hwmodel", "workflow"])
def test_the_locale_decides_no_encoding(package: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in sorted((ROOT / package).rglob("*.py"))
        for line in without_encoding(file.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("open(p)", [1]),
        ("open(p, 'r')\np.open()\np.open('w')", [1, 2, 3]),
        ("p.read_text()\np.write_text(t)", [1, 2]),
        (
            "open(p, 'rb')\np.open('wb')\nopen(p, mode='rb')\nImage.open(p)\nos.open(p, os.O_RDONLY)",
            [],
        ),
        (
            "open(p, encoding='utf-8')\np.read_text('utf-8')\np.write_text(t, 'utf-8')\nwrite_text(p, t)",
            [],
        ),
    ],
)
def test_calls_in_the_encoding_of_the_locale_are_found(source: str, lines: list[int]) -> None:
    assert without_encoding(source) == lines
