"""What a config may set of plugins, and of the classes that hold its other settings.

Types and defaults are read from the source (:mod:`nenni.core.declarations`), so that a config is
checked without torch; Pydantic does the checking.
"""

import ast
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model
from pydantic_core import PydanticCustomError

from nenni.core import plugins, types
from nenni.core.declarations import Declaration, file_of, read
from nenni.core.errors import UserError, brief
from nenni.core.plugins import Ref

_KIND_OF = {
    "Selection": "selection",
    "Projection": "projection",
    "Noise": "noise",
    "Objective": "method",
    "Schedule": "schedule",
}
"""Annotation of a setting -> kind of the plugin that it is."""
_NEAR = 0.75
"""Least likeness, from 0 to 1, of a key that somebody may have meant."""
_HANDED_OVER = ("generator", "progress")
"""Keyword-only parameters that callers give and no config."""


def validate(kind: str, value: Any, *, also: Sequence[str] = ()) -> Ref:
    """Check a plugin's config and fill in the defaults.

    Parameters
    ----------
    kind : str
        Of the plugin.
    value : object
        What should be a config of one.
    also : sequence of str
        Keys that stand beside the plugin's own and are not here: those that one may have misspelt.

    Raises
    ------
    PydanticCustomError
        Of type ``plugin``, whose context holds ``problems``: (location, message) pairs.
    """
    known = plugins.names(kind)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise refusal([((), f"should be a mapping with a name, one of: {', '.join(known)}")])
    if value["name"] not in known:
        raise refusal(
            [(("name",), f"unknown {kind} {brief(value['name'])}; known are: {', '.join(known)}")]
        )
    found = checked(schema(kind, value["name"]), plugins.arguments(value), also=also)
    for name, other in plugins.marked(kind, value["name"], types.AtMost).items():
        if found[name] > found[other]:
            raise refusal([((name,), f"should be at most {other} = {found[other]}")])
    return {"name": value["name"], **found}


def chosen(kind: str, config: Ref) -> Ref:
    """The arguments of a checked config that are not the plugin's defaults."""
    fields = schema(kind, config["name"]).model_fields
    return {
        key: value
        for key, value in plugins.arguments(config).items()
        if value != fields[key].default
    }


def checked(
    model: type[BaseModel], value: Any, *, exclude_none: bool = False, also: Sequence[str] = ()
) -> dict[str, Any]:
    """Check values by a model and fill in its defaults; raises as :func:`validate` does."""
    try:
        return model.model_validate(value).model_dump(exclude_none=exclude_none)
    except ValidationError as error:
        raise refusal(problems(model, error, also)) from None


def problems(
    model: type[BaseModel], error: ValidationError, also: Sequence[str] = ()
) -> list[tuple[tuple[int | str, ...], str]]:
    """What a model found as (location, message) pairs, several for an error about a plugin."""
    found: list[tuple[tuple[int | str, ...], str]] = []
    for e in error.errors():
        if e["type"] == "plugin":
            found += [((*e["loc"], *loc), what) for loc, what in e["ctx"]["problems"]]
        else:
            found.append((e["loc"], _describe(model, dict(e), also)))
    return found


def _describe(model: type[BaseModel], error: Mapping[str, Any], also: Sequence[str]) -> str:
    """One pydantic error in plain words, with the value that was found."""
    if error["type"] == "extra_forbidden":
        *above, key = error["loc"]
        known = _keys(model, above) + [name for name in also if not above]
        near = get_close_matches(str(key), known, 1, _NEAR)
        return f"unknown key; did you mean '{near[0]}'?" if near else "unknown key"
    if error["type"] == "missing":
        return "is missing"
    message = error["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return f"{message}, got {brief(error['input'])}"


def _keys(kind: Any, place: Sequence[int | str]) -> list[str]:
    """Keys of the model that lies at a place in another."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if not place:
            return list(kind.model_fields)
        return _keys(kind.model_fields[str(place[0])].annotation, place[1:])
    inner = [k for k in get_args(kind) if k is not NoneType]
    if get_origin(kind) in (dict, list):
        return _keys(inner[-1], place[1:])
    return _keys(inner[0], place)


def schema(kind: str, name: str) -> type[BaseModel]:
    """Pydantic model of what a config may set of a plugin."""
    return model_of(plugins.declaration(kind, name))


def settings_of(module: str, name: str) -> dict[str, Any]:
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
    plain = {
        "int": int, "float": types.Number, "bool": bool, "str": types.Text, "Any": Any,
    }  # fmt: skip
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
        case ast.Subscript(value=ast.Name(id="Values" | "Several" | "Grid" as name), slice=inner):
            return getattr(types, name)[_resolve(inner, where)]
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
