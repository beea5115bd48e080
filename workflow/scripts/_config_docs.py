"""What the docstrings say of each setting, and types in words."""

import ast
import re
import typing
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types as at
from griffe import Docstring, DocstringSectionKind, Parser
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nenni.core import types
from nenni.core.declarations import file_of, read
from nenni.core.settings import PluginOf

_NUMBERS = {int: "whole number", float: "number", str: "text", bool: "true or false"}
_SIGNS = {at.Ge: ("≥", "ge"), at.Gt: (">", "gt"), at.Le: ("≤", "le"), at.Lt: ("<", "lt")}
_LARGEST = (types.LARGEST_WHOLE, types.LARGEST_NUMBER)
"""Bounds of everything, which the page gives once."""
_ATTACKS = "See :mod:`nenni.adversary.attacks`"


def sentences(file: Path, name: str) -> tuple[str, dict[str, str]]:
    """First paragraph of a docstring, and what it or its bases' say of each parameter."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    node = next(n for n in tree.body if getattr(n, "name", None) == name)
    assert isinstance(node, ast.ClassDef | ast.FunctionDef)
    said: dict[str, str] = {}
    for base in node.bases if isinstance(node, ast.ClassDef) else ():
        said |= _of_base(ast.unparse(base), file, name)
    text = ast.get_docstring(node) or ""
    for section in Docstring(text).parse(Parser.numpy, warnings=False):
        if section.kind in (DocstringSectionKind.parameters, DocstringSectionKind.attributes):
            for item in section.value:
                for part in item.name.split(","):
                    said[part.strip()] = _followed(item.description, part.strip())
    return plain(text.split("\n\n")[0]), said


def _of_base(base: str, file: Path, name: str) -> dict[str, str]:
    if f"\nclass {base}" in file.read_text(encoding="utf-8"):
        return sentences(file, base)[1]
    module = read(file, name).imports.get(base, ("", ""))[0]
    return sentences(file_of(module), base)[1] if module and file_of(module).exists() else {}


def _followed(text: str, name: str) -> str:
    """A description; where it points to another docstring, what that says."""
    text = text.strip()
    if text.startswith(_ATTACKS):
        shared = sentences(file_of("nenni.adversary.attack"), "Attack")[1].get(name, "")
        rest = text.removeprefix(_ATTACKS).lstrip(";. ")
        return " ".join([shared, plain(rest[:1].upper() + rest[1:])]).strip()
    found = re.fullmatch(r"See :(?:func|class):`nenni\.([\w.]+)\.(\w+)`\.?", text)
    if found is None:
        return plain(text)
    return sentences(file_of(f"nenni.{found[1]}"), found[2])[1].get(name, plain(text))


def plain(text: str) -> str:
    """One line of Markdown, without the roles of Sphinx."""
    text = re.sub(r":\w+:`([^`]+)`", r"`\1`", " ".join(text.split()))
    return text.replace("``", "`")


def words(kind: Any, *marks: Any) -> str:
    """A type, with the marks that an annotation has beside it, in words."""
    for mark in marks:
        if isinstance(mark, PluginOf):
            return f"plugin `{mark.kind}`"
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return words(inner[0], *inner[1:], *marks)
    if origin in (UnionType, typing.Union):
        return words(next(k for k in inner if k is not NoneType), *marks)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin is list:
        return f"list: {words(inner[0])}"
    if origin is dict:
        return f"{words(inner[0])} → {words(inner[1])}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return ", ".join(f"`{name}`" for name in kind.model_fields)
    if any("pattern" in str(mark) for mark in marks):
        return "name"
    bounds = list(dict.fromkeys(bound for mark in marks for bound in _bounds(mark)))
    if "> 0" in bounds and "≥ 0" in bounds:
        bounds.remove("≥ 0")
    return f"{_NUMBERS.get(kind, 'values')} {' and '.join(bounds)}".strip()


def _told(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def _bounds(mark: Any) -> list[str]:
    if isinstance(mark, FieldInfo):
        return [bound for inner in mark.metadata for bound in _bounds(inner)]
    return [
        f"{sign} {_told(getattr(mark, attribute))}"
        for kind, (sign, attribute) in _SIGNS.items()
        if isinstance(mark, kind) and abs(getattr(mark, attribute)) not in _LARGEST
    ]
