"""What a class or a function lets one set, read from its source: nothing is imported for it.

The annotated fields of a class, those of its bases first, or the keyword-only parameters of a
function. A whole config is so checked without torch, by the very classes and functions that use it.
"""

import ast
import builtins
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from nenni.core import own_modules
from nenni.core.errors import UserError

ROOT = Path(__file__).parents[2]
FIRST_PARTY = ("nenni", "hwmodel")
Imports = dict[str, tuple[str, str]]
"""Name in a file -> module, and name in it; the latter is empty where it is the module itself."""


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
class Members:
    """What a class has, with its bases.

    Attributes
    ----------
    written, left_open : frozenset of str
        Methods and attributes that have a body or a value; those that are abstract, or a
        protocol's.
    dataclass : bool
        Whether the class itself is decorated as one.
    whole : bool
        Whether all of its bases could be read.
    """

    written: frozenset[str]
    left_open: frozenset[str]
    dataclass: bool
    whole: bool


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
        Positional parameters of a function, what the framework hands over: name -> annotation, as
        :func:`meaning` gives it.
    constants : dict
        Plain values of a class's ``ClassVar`` fields, its bases' among them; of a function, those
        of its file whose names are in capitals.
    imports : dict
        Name in the file, or in those of its bases -> module and name that it was imported from.
    folder : Path or None
        The folder of one's own that the file is in.
    of_class : Members or None
        What a class has; None for a function.
    """

    file: Path
    name: str
    parameters: tuple[Parameter, ...]
    given: dict[str, str] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    imports: Imports = field(default_factory=dict)
    folder: Path | None = None
    of_class: Members | None = None


@cache
def read(file: Path, name: str | None = None, folder: Path | None = None) -> Declaration:
    """Read a declaration.

    Parameters
    ----------
    file : Path
        A Python file.
    name : str or None
        Of the class or function; None is the one that the file's ``__all__`` lists.
    folder : Path or None
        The folder of one's own that the file is in, whose modules may hold bases.

    Raises
    ------
    UserError
        If there is none of this name, or it cannot be read.
    """
    source = _parsed(file, folder)
    name = _exported(source.tree, file) if name is None else name
    node = source.found.get(name)
    if node is None:
        raise UserError(f"{file}: has no class or function {name}")
    return _of_class(node, source) if isinstance(node, ast.ClassDef) else _of_function(node, source)


def meaning(annotation: ast.expr, imports: Imports) -> str:
    """What an annotation names, ``module.name`` where it is imported; or itself as it is written.

    However it was imported, and in quotes or not.
    """
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return meaning(_unquoted(annotation.value), imports)
    module, name = _named(annotation, imports)
    return f"{module}.{name}" if module else ast.unparse(annotation)


def _unquoted(text: str) -> ast.expr:
    first, *rest = text.split(".")
    found: ast.expr = ast.Name(first)
    for name in rest:
        found = ast.Attribute(found, name)
    return found


def file_of(module: str) -> Path:
    """Source file of a module of this project."""
    return ROOT.joinpath(*module.split(".")).with_suffix(".py")


@dataclass(frozen=True)
class _Source:
    file: Path
    folder: Path | None
    tree: ast.Module
    found: dict[str, ast.FunctionDef | ast.ClassDef]
    imports: Imports


def _parsed(file: Path, folder: Path | None) -> _Source:
    tree = own_modules.parse(file)
    found = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    return _Source(file, folder, tree, {n.name: n for n in found}, dict(_imports(tree)))


def _exported(tree: ast.Module, file: Path) -> str:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: object = ast.literal_eval(node.value)
            if isinstance(names, list) and len(names) == 1 and isinstance(names[0], str):
                return names[0]
    raise UserError(f'{file}: should say what it offers, as in __all__ = ["name"]')


def _imports(tree: ast.Module) -> list[tuple[str, tuple[str, str]]]:
    found = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [(a.asname or a.name, (node.module, a.name)) for a in node.names]
        elif isinstance(node, ast.Import):
            found += [(a.asname or a.name, (a.name, "")) for a in node.names]
    return found


def _of_function(node: ast.FunctionDef, source: _Source) -> Declaration:
    asked = node.args
    pairs = zip(asked.kwonlyargs, asked.kw_defaults, strict=True)
    parameters = tuple(
        Parameter(arg.arg, _annotation(arg, source.file), default) for arg, default in pairs
    )
    handed = [*asked.posonlyargs, *asked.args, *([asked.vararg] if asked.vararg else [])]
    given = {a.arg: meaning(a.annotation, source.imports) if a.annotation else "" for a in handed}
    return Declaration(
        source.file, node.name, parameters, given, _constants(source.tree), source.imports,
        source.folder,
    )  # fmt: skip


def _constants(tree: ast.Module) -> dict[str, Any]:
    """Plain values that a file assigns to names in capitals."""
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            with suppress(ValueError):
                found |= {name: ast.literal_eval(node.value)} if name.isupper() else {}
    return found


def _annotation(arg: ast.arg, file: Path) -> ast.expr:
    if arg.annotation is None:
        raise UserError(f"{file}: its parameter {arg.arg} should carry an annotation")
    return arg.annotation


def _of_class(node: ast.ClassDef, source: _Source) -> Declaration:
    """A class, with what it has from its bases in this project or in a folder of one's own."""
    found = [_base(base, source) for base in node.bases]
    bases = [base for base in found if base is not None]
    fields = {p.name: p for base in bases for p in base.parameters}
    constants = {name: value for base in bases for name, value in base.constants.items()}
    imports = {name: what for base in bases for name, what in base.imports.items()}
    for part in node.body:
        if not isinstance(part, ast.AnnAssign) or not isinstance(part.target, ast.Name):
            continue
        name = part.target.id
        if not ast.unparse(part.annotation).startswith("ClassVar"):
            fields[name] = Parameter(name, part.annotation, part.value)
        elif isinstance(part.value, ast.Constant):
            constants[name] = part.value.value
    of_class = _members(node, [base.of_class for base in bases if base.of_class], None not in found)
    return Declaration(
        source.file, node.name, tuple(fields.values()), {}, constants, imports | source.imports,
        source.folder, of_class,
    )  # fmt: skip


def _members(node: ast.ClassDef, bases: list[Members], whole: bool) -> Members:
    protocol = any(ast.unparse(base).endswith("Protocol") for base in node.bases)
    written: set[str] = set()
    left_open: set[str] = set()
    for part in node.body:
        if isinstance(part, ast.FunctionDef):
            abstract = any(ast.unparse(d).endswith("abstractmethod") for d in part.decorator_list)
            (left_open if abstract or protocol else written).add(part.name)
        elif isinstance(part, ast.AnnAssign | ast.Assign):
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            written |= {target.id for target in targets if isinstance(target, ast.Name)}
    everything = frozenset(written).union(*(base.written for base in bases))
    return Members(
        everything,
        frozenset(left_open).union(*(base.left_open for base in bases)) - everything,
        any("dataclass" in ast.unparse(d) for d in node.decorator_list),
        whole and all(base.whole for base in bases),
    )


_PLAIN = Declaration(Path(), "object", (), of_class=Members(frozenset(), frozenset(), False, True))
"""A base of Python's own, which lets one set nothing."""


def _base(base: ast.expr, source: _Source) -> Declaration | None:
    """A base where it can be read; None where it cannot."""
    if isinstance(base, ast.Subscript):
        return _base(base.value, source)
    if isinstance(base, ast.Name) and isinstance(source.found.get(base.id), ast.ClassDef):
        return read(source.file, base.id, source.folder)
    module, name = _named(base, source.imports)
    if not module:
        return _PLAIN if hasattr(builtins, ast.unparse(base)) else None
    top = module.partition(".")[0]
    if top in FIRST_PARTY and not file_of(module).exists():
        raise UserError(
            f"{source.file}: its base {name} should be imported from the file that defines it, "
            f"not from {module}"
        )
    return _PLAIN if top in sys.stdlib_module_names else _elsewhere(module, name, source.folder)


def _named(base: ast.expr, imports: Imports) -> tuple[str, str]:
    """Module and name of what is imported, itself or as a module's attribute."""
    if isinstance(base, ast.Attribute):
        module, inner = imports.get(ast.unparse(base.value), ("", ""))
        return ".".join(filter(None, (module, inner))), base.attr
    return imports.get(ast.unparse(base), ("", ""))


def _elsewhere(module: str, name: str, folder: Path | None) -> Declaration | None:
    """A class of another file of this project or of a folder, or what that file has imported."""
    if module.partition(".")[0] in FIRST_PARTY:
        return read(file_of(module), name)
    file = folder and own_modules.source(folder, module)
    if file is None:
        return None
    source = _parsed(file, folder)
    if name not in source.found and name in source.imports:
        return _elsewhere(*source.imports[name], folder)
    return read(file, name, folder)
