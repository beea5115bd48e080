"""What a class or a function lets one set, read from its source: nothing is imported for it.

The annotated fields of a class, those of its bases first, or the keyword-only parameters of a
function. A whole config is so checked without torch, by the very classes and functions that use it.
"""

import ast
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from nenni.core.errors import UserError

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Parameter:
    """One thing to set.

    Attributes
    ----------
    name : str
        Of the field or parameter.
    annotation, default : ast.expr
        As written; no default means that it has to be given.
    """

    name: str
    annotation: ast.expr
    default: ast.expr | None


@dataclass(frozen=True)
class Declaration:
    """A class or a function as its source shows it.

    Attributes
    ----------
    file : Path
        Where it stands.
    name : str
        What it is called.
    parameters : tuple of Parameter
        What may be set.
    given : dict
        Positional parameters of a function, what the framework hands over: name -> annotation.
    constants : dict
        Plain values of a class's ``ClassVar`` fields, its bases' among them.
    imports : dict
        Name in the file -> module and name that it was imported from.
    """

    file: Path
    name: str
    parameters: tuple[Parameter, ...]
    given: dict[str, str] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)


@cache
def read(file: Path, name: str | None = None) -> Declaration:
    """Read a declaration.

    Parameters
    ----------
    file : Path
        A Python file.
    name : str or None
        Of the class or function; None is the one that the file's ``__all__`` lists.

    Raises
    ------
    UserError
        If there is none of this name, or it cannot be read.
    """
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError) as error:
        raise UserError(f"{file}: cannot be read as Python ({error})") from error
    name = _exported(tree, file) if name is None else name
    found = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    node = next((n for n in found if n.name == name), None)
    if node is None:
        raise UserError(f"{file}: has no class or function {name}")
    imports = dict(_imports(tree))
    if isinstance(node, ast.ClassDef):
        beside = {n.name: n for n in found if isinstance(n, ast.ClassDef)}
        fields, constants = _members(node, beside, imports)
        return Declaration(file, name, tuple(fields.values()), {}, constants, imports)
    arguments = node.args
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    parameters = tuple(
        Parameter(arg.arg, _annotation(arg, file), default) for arg, default in pairs
    )
    given = {a.arg: ast.unparse(a.annotation) if a.annotation else "" for a in arguments.args}
    return Declaration(file, name, parameters, given, {}, imports)


def file_of(module: str) -> Path:
    """Source file of a module of this project."""
    return ROOT.joinpath(*module.split(".")).with_suffix(".py")


def _exported(tree: ast.Module, file: Path) -> str:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: object = ast.literal_eval(node.value)
            if isinstance(names, list) and len(names) == 1 and isinstance(names[0], str):
                return names[0]
    raise UserError(f'{file}: should say what it offers, as in __all__ = ["name"]')


def _imports(tree: ast.Module) -> list[tuple[str, tuple[str, str]]]:
    return [
        (alias.asname or alias.name, (node.module, alias.name))
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    ]


def _members(
    node: ast.ClassDef, beside: dict[str, ast.ClassDef], imports: dict[str, tuple[str, str]]
) -> tuple[dict[str, Parameter], dict[str, Any]]:
    """Fields and constants of a class, those of its bases in this project first."""
    fields: dict[str, Parameter] = {}
    constants: dict[str, Any] = {}
    for base in [b.id for b in node.bases if isinstance(b, ast.Name)]:
        module, name = imports.get(base, ("", base))
        if base in beside:
            more, further = _members(beside[base], beside, imports)
            fields, constants = fields | more, constants | further
        elif module and file_of(module).exists():
            found = read(file_of(module), name)
            fields |= {p.name: p for p in found.parameters}
            constants |= found.constants
    for part in node.body:
        if not isinstance(part, ast.AnnAssign) or not isinstance(part.target, ast.Name):
            continue
        name = part.target.id
        if not ast.unparse(part.annotation).startswith("ClassVar"):
            fields[name] = Parameter(name, part.annotation, part.value)
        elif isinstance(part.value, ast.Constant):
            constants[name] = part.value.value
    return fields, constants


def _annotation(arg: ast.arg, file: Path) -> ast.expr:
    if arg.annotation is None:
        raise UserError(f"{file}: its parameter {arg.arg} should carry an annotation")
    return arg.annotation
