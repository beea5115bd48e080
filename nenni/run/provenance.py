"""Which source files a piece of work depends on, found by reading their imports.

Snakemake does not see inside imported libraries. Each rule therefore lists the files below as
inputs, compared by checksum, and each checkpoint is named after their contents.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from nenni.core import plugins
from nenni.networks import architecture

ROOT = Path(__file__).parents[2]
_FIRST_PARTY = ("nenni", "hwmodel")


def closure(start: Iterable[Path]) -> list[Path]:
    """All first-party modules that some files import, directly or not, themselves included.

    Packages' ``__init__`` files only hold docstrings and lazy exports: they are no edges, or every
    closure would be the whole package.
    """
    seen: set[Path] = set()
    waiting = list(start)
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting.extend(_imports(file))
    return sorted(seen)


def stage_files(stage: str, config: Any) -> list[Path]:
    """Source files of a stage, with those of the plugins that its slice of the config names."""
    start = [ROOT / "nenni" / "run" / "stages" / f"{stage}.py"]
    return closure([*start, *_named_plugins(config)])


def key(stage: str, config: Any, inputs: Iterable[str]) -> str:
    """Name for a checkpoint: a hash of the config slice, the inputs' checksums and the code."""
    digest = hashlib.sha256(json.dumps([stage, config, sorted(inputs)], sort_keys=True).encode())
    for file in stage_files(stage, config):
        digest.update(file.read_bytes())
    return f"{stage}-{digest.hexdigest()[:24]}"


def _named_plugins(config: Any) -> Iterator[Path]:
    """Files of all plugins in a config: mappings with a name under a key that names their kind."""
    if isinstance(config, dict):
        for kind, value in config.items():
            if kind == "injection" and value is not None:
                yield plugins.path("defence", "nenni")  # files of networks name it
            if kind in plugins.PACKAGES and isinstance(value, dict) and "name" in value:
                yield plugins.path(kind, value["name"])
                if kind == "model" and value["name"] == "function":
                    yield from architecture.files_of(value["function"])
            yield from _named_plugins(value)
    elif isinstance(config, list):
        for value in config:
            yield from _named_plugins(value)


@cache
def _imports(file: Path) -> tuple[Path, ...]:
    modules: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{file}: relative imports are not followed"
            assert not node.level, f"{file}: relative imports are not followed"
            modules += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    paths = (ROOT / Path(*m.split(".")) for m in modules if m.split(".")[0] in _FIRST_PARTY)
    return tuple(p.with_suffix(".py") for p in paths if p.with_suffix(".py").exists())
