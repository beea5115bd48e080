"""Plugins by name: one file each, found and loaded without a registry to edit.

A plugin is a file whose ``__all__`` lists one function or class, in the package of its kind or in
the subfolder of that name of a folder of one's own (:func:`use_plugins`). What a config may set of
it is checked by :mod:`nenni.core.settings`.
"""

import ast
import stat
import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from nenni.core import contract, own_modules, types
from nenni.core.declarations import ROOT, Declaration, meaning, read
from nenni.core.errors import UserError, on_a_line

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
    "baseline": "defences.baselines",
    "figure": "results.figures",
}
"""Kind, the key under which a config names a plugin -> package of :mod:`nenni` that holds it."""

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
    if _real(Path(folder)) in (known.resolve() for known in _folders):
        return
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


def _real(folder: Path) -> Path:
    """A folder without links in its path; a UserError if it is none, or no path can be so."""
    try:
        if stat.S_ISDIR(folder.stat().st_mode):
            return folder.resolve()
    except UnicodeEncodeError:
        raise
    except (OSError, ValueError):
        pass
    raise UserError(f"plugins: there is no folder {on_a_line(folder)}")


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
    """Value of a class's ``ClassVar``, or of a constant of a function's file, without importing."""
    return declaration(kind, name).constants.get(constant, otherwise)


def needs(kind: str, name: str) -> dict[str, str]:
    """Positional parameters of a function plugin, what it is handed: name -> annotation."""
    return declaration(kind, name).given


def files(kind: str, ref: Ref, type_: str = "File") -> list[str]:
    """The values of a plugin's parameters that are annotated as a ``File``, or as a ``Folder``."""
    named = annotated(kind, ref["name"], type_)
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
