"""Which source files a piece of work depends on, found by reading their imports.

Snakemake does not see inside imported libraries. Each rule therefore lists the files below as
inputs, compared by checksum, and each checkpoint is named after their contents.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from nenni.core import own_modules, plugins
from nenni.core.declarations import FIRST_PARTY, ROOT
from nenni.networks import architecture


def closure(start: Iterable[Path], folders: Iterable[Path] = ()) -> list[Path]:
    """All first-party modules that some files import, directly or not, themselves included.

    The ``__init__`` files of this project's packages only hold docstrings and lazy exports: they
    are no edges, or every closure would be the whole package. Those in a folder of one's own may
    hold anything, and are.

    Parameters
    ----------
    start : iterable of Path
        Files.
    folders : iterable of Path
        Folders of one's own, whose modules the plugins in them may import.
    """
    roots = list(folders)
    seen: set[Path] = set()
    waiting = list(start)
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting.extend(_imports(file, roots))
    return sorted(seen)


def stage_files(stage: str, config: dict[str, Any]) -> list[Path]:
    """Source files of a stage, with those of the plugins that its slice of the config names."""
    start = [ROOT / "nenni" / "run" / "stages" / f"{stage}.py"]
    for kind, ref in plugins.refs(config):
        start.append(plugins.path(kind, ref["name"]))
        if (kind, ref["name"]) == ("model", "function"):
            start += architecture.files_of(ref["function"])
    return closure(start, plugins.folders())


def key(stage: str, config: dict[str, Any], inputs: Iterable[str], outputs: Iterable[str]) -> str:
    """Name for a checkpoint: a hash of the config slice, the inputs' checksums and the code."""
    asked = [stage, config, sorted(inputs), sorted(outputs)]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode())
    for file in stage_files(stage, config):
        digest.update(file.read_bytes())
    return f"{stage}-{digest.hexdigest()[:24]}"


def relative(file: Path) -> str:
    """A file's path from the working directory, where it is below it."""
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)


def _imports(file: Path, folders: list[Path]) -> list[Path]:
    own = (own_modules.sources(folder, m) for folder in folders for m in own_modules.imports(file))
    return [*_of_this_project(file), *chain.from_iterable(own)]


@cache
def _of_this_project(file: Path) -> list[Path]:
    modules = (module.split(".") for module in own_modules.imports(file))
    paths = (
        ROOT.joinpath(*names).with_suffix(".py") for names in modules if names[0] in FIRST_PARTY
    )
    return [path for path in paths if path.exists()]
