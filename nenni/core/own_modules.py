"""Modules beside the plugins in a folder of one's own, found from the source that imports them."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from nenni.core.errors import UserError


@cache
def imports(file: Path) -> tuple[str, ...]:
    """Names of all modules that a file may import, anywhere in it.

    Raises
    ------
    UserError
        If it imports relatively, which is not followed, or cannot be read.
    """
    found: list[str] = []
    for node in ast.walk(parse(file)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                raise UserError(
                    f"{file}: line {node.lineno}: should import absolutely, from the name of the "
                    "module without dots before it: reruns follow no relative imports"
                )
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(found)


def parse(file: Path) -> ast.Module:
    """The syntax of a file; a UserError if it cannot be read."""
    try:
        return ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError) as error:
        raise UserError(f"{file}: cannot be read as Python ({error})") from error


def source(folder: Path, module: str) -> Path | None:
    """File of a module in a folder; None if it has none."""
    place = folder.joinpath(*module.split("."))
    files = (place / "__init__.py", place.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


def sources(folder: Path, module: str) -> list[Path]:
    """What an import of a module runs of a folder: its file, and those of packages around it."""
    names = module.split(".")
    around = (source(folder, ".".join(names[: n + 1])) for n in range(len(names)))
    return [file for file in around if file is not None]


def refuse_shadowed(file: Path, folder: Path) -> None:
    """Refuse a plugin that would get another module than the one beside it.

    Raises
    ------
    UserError
        If Python finds a module elsewhere that the folder has too, by its name.
    """
    for module in _beside(file, folder):
        name = module.partition(".")[0]
        if (other := _found_elsewhere(folder, name)) is not None:
            raise UserError(
                f"{file}: its import of {name} would get {other} in place of the {name} in "
                f"{folder}; rename the latter"
            )


def _beside(file: Path, folder: Path) -> Iterator[str]:
    """Modules of a folder that a file in it imports, directly or not."""
    seen, waiting = {file}, [file]
    while waiting:
        for module in imports(waiting.pop()):
            files = sources(folder, module)
            if files:
                yield module
            waiting += [other for other in files if other not in seen]
            seen.update(files)


def _found_elsewhere(folder: Path, name: str) -> str | None:
    """Where Python finds a top-level module before a folder at the end of its path; or None."""
    spec = find_spec(name)
    if spec is None:
        return None
    if spec.origin is None and source(folder, name) is not None:
        return None
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    home = folder.resolve()
    return next((p for p in places if not Path(p).resolve().is_relative_to(home)), None)
