"""Plugins by name: one file each, found, checked and loaded without a registry to edit.

A plugin is a file whose ``__all__`` lists one function or class, in the package of its kind or in
the subfolder of that name of a folder of one's own (:func:`use_plugins`). What a config may set of
it, and of the classes that hold a config's other settings, is read from the source
(:mod:`nenni.core.declarations`).
"""

import ast
import sys
from collections.abc import Iterable, Mapping
from functools import cache, partial
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model
from pydantic_core import PydanticCustomError

from nenni.core import contract, own_modules, types
from nenni.core.declarations import ROOT, Declaration, file_of, meaning, read
from nenni.core.errors import UserError

Ref = dict[str, Any]
"""A plugin as a config names it: ``{"name": "topk", "fraction": 0.5}``."""

PACKAGES = {
    "model": "networks.models",
    "data": "data.datasets",
    "selection": "method.selection",
    "projection": "method.projection",
    "noise": "method.noise",
    "attack": "adversary.attacks",
    "surrogate": "adversary.surrogates",
    "method": "training.objectives",
    "schedule": "training.schedules",
    "defence": "defences",
    "figure": "results.figures",
}
"""Kind, the key under which a config names a plugin -> package of :mod:`nenni` that holds it."""
_KIND_OF = {
    "Selection": "selection",
    "Projection": "projection",
    "Noise": "noise",
    "Objective": "method",
    "Schedule": "schedule",
}
"""Annotation of a setting -> kind of the plugin that it is."""
_HANDED_OVER = ("generator", "progress")
"""Keyword-only parameters that callers give and no config."""

_folders: dict[Path, str] = {}
"""Folders of one's own, absolute -> as they were given."""


def use_plugins(folder: str | Path) -> None:
    """Find plugins in a folder of one's own too, for the rest of this process.

    Its subfolders are named as the kinds: ``selection/mine.py`` and so on. Their code is run where
    a plugin is loaded, as any import is.

    Parameters
    ----------
    folder : path
        E.g. ``my_plugins``.

    Raises
    ------
    UserError
        If it is no folder, has no plugins, or a plugin has the name of another.
    """
    path = Path(folder).absolute()
    if path.resolve() in (known.resolve() for known in _folders):
        return
    if not path.is_dir():
        raise UserError(f"plugins: there is no folder {folder}")
    found = {kind: [f.stem for f in sorted(_files(path / kind))] for kind in PACKAGES}
    if not any(found.values()):
        kinds = ", ".join(PACKAGES)
        raise UserError(f"plugins: {folder} has no plugins in subfolders named {kinds}")
    for kind, own in found.items():
        if taken := sorted(set(own) & set(names(kind))):
            raise UserError(
                f"plugins: {path / kind / taken[0]}.py has the name of another {kind}; rename it"
            )
    _folders[path] = str(Path(folder))
    sys.path.append(str(path))


def folders() -> list[Path]:
    """The folders of one's own, absolute."""
    return [*_folders]


def names(kind: str) -> list[str]:
    """All plugins of one kind, sorted."""
    return sorted(file.stem for folder in _places(kind) for file in _files(folder))


def path(kind: str, name: str) -> Path:
    """Source file of a plugin."""
    files = (folder / f"{name}.py" for folder in _places(kind))
    return next((file for file in files if file.exists()), next(iter(_places(kind))) / f"{name}.py")


def folder_of(kind: str, name: str) -> str | None:
    """The folder of one's own that a plugin is from, as given; None for those of this package."""
    folder = _home(kind, name)
    return None if folder is None else _folders[folder]


def declaration(kind: str, name: str) -> Declaration:
    """What the source of a plugin says of it.

    Raises
    ------
    UserError
        If it is not what a plugin of this kind should be, or its imports would find other modules
        than those of its folder.
    """
    file, folder = path(kind, name), _home(kind, name)
    if folder is not None:
        own_modules.refuse_shadowed(file, folder)
    found = read(file, folder=folder)
    contract.check(kind, found)
    return found


def load(kind: str, name: str) -> Any:
    """Import a plugin and return its function or class."""
    exported = declaration(kind, name).name
    if _home(kind, name) is None:
        return getattr(import_module(f"nenni.{PACKAGES[kind]}.{name}"), exported)
    return getattr(_imported(path(kind, name).resolve()), exported)


def name_of(kind: str, plugin: type) -> str | None:
    """Name by which :func:`load` finds a class or function; None if it finds it by none."""
    name = plugin.__module__.rpartition(".")[2]
    return name if name in names(kind) and load(kind, name) is plugin else None


def constant(kind: str, name: str, constant: str, otherwise: Any) -> Any:
    """Value of a class plugin's ``ClassVar``, without importing it."""
    return declaration(kind, name).constants.get(constant, otherwise)


def needs(kind: str, name: str) -> dict[str, str]:
    """Positional parameters of a function plugin, what it is handed: name -> annotation."""
    return declaration(kind, name).given


def files(kind: str, ref: Ref) -> list[str]:
    """The values of a plugin's parameters that are annotated as a ``File``."""
    named = annotated(kind, ref["name"], "File")
    return [ref[name] for name in named if ref[name] is not None]


def annotated(kind: str, name: str, type_: str) -> list[str]:
    """A plugin's parameters that are annotated with a name of :mod:`nenni.core.types`."""
    found = declaration(kind, name)
    return [
        p.name
        for p in found.parameters
        if any(_is(node, type_, found) for node in ast.walk(p.annotation))
    ]


def marked(kind: str, name: str, mark: type) -> dict[str, Any]:
    """A plugin's parameters with a mark of :mod:`nenni.core.types` -> what the mark is given."""
    found = declaration(kind, name)
    return {
        p.name: ast.literal_eval(node.args[0])
        for p in found.parameters
        for node in ast.walk(p.annotation)
        if isinstance(node, ast.Call) and _is(node.func, mark.__name__, found)
    }


def build(kind: str, ref: Ref) -> Any:
    """Instance of a class plugin from its config, e.g. ``{"name": "topk", "fraction": 0.5}``."""
    return load(kind, ref["name"])(**arguments(ref))


def arguments(ref: Ref) -> dict[str, Any]:
    """The parameters in a plugin's config, without its name."""
    return {key: value for key, value in ref.items() if key != "name"}


def refs(value: Any) -> Iterable[tuple[str, Ref]]:
    """All plugins in a config with their kinds: mappings with a name under the key of a kind."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in PACKAGES and isinstance(inner, dict) and "name" in inner:
                yield key, inner
            yield from refs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from refs(inner)


def validate(kind: str, value: Any) -> Ref:
    """Check a plugin's config and fill in the defaults.

    Raises
    ------
    PydanticCustomError
        Of type ``plugin``, whose context holds ``problems``: (location, message) pairs.
    """
    known = names(kind)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise refusal([((), f"should be a mapping with a name, one of: {', '.join(known)}")])
    if value["name"] not in known:
        raise refusal(
            [(("name",), f"unknown {kind} '{value['name']}'; known are: {', '.join(known)}")]
        )
    found = checked(schema(kind, value["name"]), arguments(value))
    for name, other in marked(kind, value["name"], types.AtMost).items():
        if found[name] > found[other]:
            raise refusal([((name,), f"should be at most {other} = {found[other]}")])
    return {"name": value["name"], **found}


def chosen(kind: str, config: Ref) -> Ref:
    """The arguments of a checked config that are not the plugin's defaults."""
    fields = schema(kind, config["name"]).model_fields
    return {key: value for key, value in arguments(config).items() if value != fields[key].default}


def checked(model: type[BaseModel], value: Any, *, exclude_none: bool = False) -> dict[str, Any]:
    """Check values by a model and fill in its defaults; raises as :func:`validate` does."""
    try:
        return model.model_validate(value).model_dump(exclude_none=exclude_none)
    except ValidationError as error:
        raise refusal([problem for e in error.errors() for problem in problems(dict(e))]) from None


def problems(error: Mapping[str, Any]) -> list[tuple[tuple[int | str, ...], str]]:
    """One pydantic error as (location, message) pairs, several where it is about plugins."""
    if error["type"] == "plugin":
        return [((*error["loc"], *loc), what) for loc, what in error["ctx"]["problems"]]
    return [(error["loc"], describe(error))]


def describe(error: Mapping[str, Any]) -> str:
    """One pydantic error in plain words, with the value that was found."""
    if error["type"] == "extra_forbidden":
        return "unknown key"
    if error["type"] == "missing":
        return "is missing"
    message = error["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return f"{message}, got {error['input']!r}"


def schema(kind: str, name: str) -> type[BaseModel]:
    """Pydantic model of what a config may set of a plugin."""
    return model_of(declaration(kind, name))


def settings(module: str, name: str) -> dict[str, Any]:
    """What a config may set of a class or function of this package: name -> (type, default)."""
    return _fields(file_of(module), name, None)


def default(module: str, function: str, parameter: str) -> Any:
    """The default of one parameter of a function of this package."""
    declaration = read(file_of(module), function)
    found = next(p for p in declaration.parameters if p.name == parameter)
    assert found.default is not None
    return _default(found.default, declaration)


@cache
def _types() -> dict[str, Any]:
    """What annotations mean in a config."""
    plain = {"int": int, "float": float, "bool": bool, "str": str, "Any": Any}
    named = {name: value for name, value in vars(types).items() if name[0].isupper()}
    chosen = {
        name: Annotated[dict[str, Any], BeforeValidator(partial(validate, kind)), PluginOf(kind)]
        for name, kind in _KIND_OF.items()
    }
    return {**plain, **named, **chosen, "Attack": types.Name}


class PluginOf:
    """Mark of a setting that is a plugin of one kind, also in a JSON Schema."""

    KEY = "x-plugin"

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"type": "object", self.KEY: self.kind}


def model_of(declaration: Declaration) -> type[BaseModel]:
    """Pydantic model of a declaration."""
    return _model(declaration.file, declaration.name, declaration.folder)


@cache
def _model(file: Path, name: str, folder: Path | None) -> type[BaseModel]:
    config = ConfigDict(extra="forbid", strict=True)
    model: type[BaseModel] = create_model(name, __config__=config, **_fields(file, name, folder))
    return model


@cache
def _fields(file: Path, name: str, folder: Path | None) -> dict[str, Any]:
    declaration = read(file, name, folder)
    found: dict[str, Any] = {}
    for p in declaration.parameters:
        if p.name in _HANDED_OVER:
            continue
        default = ... if p.default is None else _default(p.default, declaration)
        field = Field(default, validate_default=isinstance(default, dict))
        found[p.name] = (_resolve(p.annotation, declaration), field)
    return found


def _resolve(annotation: ast.expr, where: Declaration) -> Any:
    """The type that an annotation means in a config."""
    match annotation:
        case ast.Constant(value=None):
            return None
        case ast.Name(id=name) if name in _types():
            return _types()[name]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _resolve(left, where) | _optional(_resolve(right, where))
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            return Literal[ast.literal_eval(inner)]
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[inner, *_])):
            return _resolve(inner, where)
        case ast.Subscript(value=ast.Name(id="list" | "Sequence"), slice=inner):
            return list[_resolve(inner, where)]  # type: ignore[misc]
        case ast.Subscript(
            value=ast.Name(id="dict" | "Mapping"), slice=ast.Tuple(elts=[key, value])
        ):
            return dict[_resolve(key, where), _resolve(value, where)]  # type: ignore[misc]
    raise UserError(
        f"{where.file}: {where.name}: a config cannot set what is annotated as "
        f"{ast.unparse(annotation)}; use the names of nenni.core.types"
    )


def _optional(kind: Any) -> Any:
    return type(None) if kind is None else kind


def _default(value: ast.expr, where: Declaration) -> Any:
    """A default as a config would give it: plain values, or a plugin by name."""
    match value:
        case ast.Name(id=name) if name in where.imports:
            return {"name": where.imports[name][0].rpartition(".")[2]}
        case ast.Call(func=ast.Name(id=name), args=[], keywords=[]) if name in where.imports:
            return {"name": where.imports[name][0].rpartition(".")[2]}
        case ast.Call(
            func=ast.Name(id="field"),
            keywords=[ast.keyword(arg="default_factory", value=ast.Name(id=name))],
        ):
            named = where.imports.get(name)
            return {} if named is None else {"name": named[0].rpartition(".")[2]}
    try:
        literal = ast.literal_eval(value)
    except ValueError:
        raise UserError(
            f"{where.file}: {where.name}: a config cannot read the default {ast.unparse(value)}; "
            "write it as a plain value"
        ) from None
    return list(literal) if isinstance(literal, tuple) else literal


def refusal(found: list[tuple[tuple[int | str, ...], str]]) -> PydanticCustomError:
    """The error of :func:`validate`."""
    return PydanticCustomError("plugin", "{problems}", {"problems": found})


def problems_in(error: PydanticCustomError) -> list[tuple[tuple[int | str, ...], str]]:
    """The (location, message) pairs of an error of :func:`validate`."""
    found: list[tuple[tuple[int | str, ...], str]] = (error.context or {})["problems"]
    return found


def _places(kind: str) -> list[Path]:
    """Folders with plugins of a kind, that of this package first."""
    own = ROOT.joinpath("nenni", *PACKAGES[kind].split("."))
    return [own, *(folder / kind for folder in _folders)]


def _home(kind: str, name: str) -> Path | None:
    """The folder of one's own that a plugin is in."""
    return next((f for f in _folders if (f / kind / f"{name}.py").exists()), None)


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.glob("*.py") if file.stem != "__init__"]


def _is(node: ast.AST, type_: str, where: Declaration) -> bool:
    """Whether a piece of an annotation is a name of :mod:`nenni.core.types`."""
    if not isinstance(node, ast.Name | ast.Attribute):
        return False
    return meaning(node, where.imports) == f"{types.__name__}.{type_}"


@cache
def _imported(file: Path) -> Any:
    """A module by its file."""
    spec = spec_from_file_location(f"nenni_plugins.{file.parent.name}.{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"{file}: cannot be imported ({type(error).__name__}: {error})") from error
    return module
