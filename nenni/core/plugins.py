"""Plugins by name: one file each, found, checked and loaded without a registry to edit.

A plugin is a module ``nenni/<package>/<name>.py`` whose ``__all__`` lists one function or class.
What a config may set are the keyword-only parameters of the function, or the fields of the
dataclass; their annotations (see :mod:`nenni.core.types`) are the schema. They are read from the
syntax tree, so that a whole config is checked without importing torch.
"""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import PydanticCustomError

from nenni.core import types

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
"""Key under which a config names a plugin -> package of :mod:`nenni` that holds it."""

_ROOT = Path(__file__).parents[1]
_NAMESPACE = {
    **{name: value for name, value in vars(types).items() if name[0].isupper()},
    **{"int": int, "float": float, "bool": bool, "str": str, "list": list},
}


def names(kind: str) -> list[str]:
    """All plugins of one kind, sorted."""
    return sorted(file.stem for file in _folder(kind).glob("*.py") if file.stem[0] != "_")


def _folder(kind: str) -> Path:
    return _ROOT.joinpath(*PACKAGES[kind].split("."))


def path(kind: str, name: str) -> Path:
    """Source file of a plugin."""
    return _folder(kind) / f"{name}.py"


def load(kind: str, name: str) -> Any:
    """Import a plugin and return its function or class."""
    return getattr(import_module(f"nenni.{PACKAGES[kind]}.{name}"), _definition(kind, name).name)


def needs(kind: str, name: str) -> list[str]:
    """Names of a function plugin's positional parameters: what the framework hands to it."""
    definition = _definition(kind, name)
    assert isinstance(definition, ast.FunctionDef)
    return [arg.arg for arg in definition.args.args]


def files(kind: str, ref: dict[str, Any]) -> list[str]:
    """The values of a plugin's parameters that are annotated as a ``File``."""
    definition = _definition(kind, ref["name"])
    assert isinstance(definition, ast.FunctionDef)
    named = [
        arg.arg
        for arg in definition.args.kwonlyargs
        if arg.annotation is not None and ast.unparse(arg.annotation).split(" ")[0] == "File"
    ]
    return [ref[name] for name in named if ref[name] is not None]


def build(kind: str, ref: dict[str, Any]) -> Any:
    """Instance of a class plugin from its config, e.g. ``{"name": "topk", "fraction": 0.5}``."""
    return load(kind, ref["name"])(**arguments(ref))


def arguments(ref: dict[str, Any]) -> dict[str, Any]:
    """The parameters in a plugin's config, without its name."""
    return {key: value for key, value in ref.items() if key != "name"}


def validate(kind: str, value: Any) -> dict[str, Any]:
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
    try:
        parameters = schema(kind, value["name"]).model_validate(arguments(value))
    except ValidationError as error:
        raise refusal([(e["loc"], describe(dict(e))) for e in error.errors()]) from None
    return {"name": value["name"], **parameters.model_dump()}


def describe(error: dict[str, Any]) -> str:
    """One pydantic error in plain words, with the value that was found."""
    if error["type"] == "extra_forbidden":
        return "unknown key"
    if error["type"] == "missing":
        return "is missing"
    message = error["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return f"{message}, got {error['input']!r}"


@cache
def schema(kind: str, name: str) -> type[BaseModel]:
    """Pydantic model of what a config may set, read from the plugin's source."""
    definition = _definition(kind, name)
    fields: list[tuple[str, ast.expr | None, ast.expr | None]]
    if isinstance(definition, ast.ClassDef):
        fields = [
            (node.target.id, node.annotation, node.value)
            for node in definition.body
            if isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and not ast.unparse(node.annotation).startswith("ClassVar")
        ]
    else:
        arguments = definition.args
        fields = [
            (arg.arg, arg.annotation, default)
            for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        ]
    definitions: dict[str, Any] = {
        field: (_evaluate(annotation), ... if value is None else ast.literal_eval(value))
        for field, annotation, value in fields
    }
    config = ConfigDict(extra="forbid", strict=True)
    model: type[BaseModel] = create_model(name, __config__=config, **definitions)
    return model


def refusal(problems: list[tuple[tuple[int | str, ...], str]]) -> PydanticCustomError:
    """The error of :func:`validate`."""
    return PydanticCustomError("plugin", "{problems}", {"problems": problems})


def _definition(kind: str, name: str) -> ast.FunctionDef | ast.ClassDef:
    tree = ast.parse(path(kind, name).read_text())
    (exported,) = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "__all__"
    )
    return next(
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == exported
    )


def _evaluate(annotation: ast.expr | None) -> Any:
    assert annotation is not None, "a plugin's parameters carry annotations"
    return eval(compile(ast.Expression(annotation), "<annotation>", "eval"), dict(_NAMESPACE))
