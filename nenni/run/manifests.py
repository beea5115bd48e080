"""What the jobs of a run wrote, by checksum: what was damaged, lost or exchanged since is found.

Each job leaves a manifest in the run's folder, in the format of ``sha256sum``. It names files from
the folder that the workflow runs in; they are looked for in the run's folder, wherever that is now.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nenni.core.errors import UserError
from nenni.core.io import sha256, write_text

FOLDER = "manifests"
"""Where they are, below the folder of a run."""
_LINE = re.compile(r"([0-9a-f]{64})  results/([^/\0]+)/([^\0]+)")
_UNFINISHED = re.compile(r"\..+\.part")


def write(manifest: Path, files: Iterable[Path]) -> None:
    """Write the checksums of a job's files."""
    lines = (f"{sha256(file)}  {file.as_posix()}\n" for file in sorted(files))
    write_text(manifest, "".join(lines))


def run_of(path: Path) -> Path:
    """Folder of the run that a folder or a file belongs to.

    Raises
    ------
    UserError
        If it is of none.
    """
    for folder in (path, *path.parents):
        if (folder / FOLDER).is_dir():
            return folder
    raise UserError(f"{path}: holds no manifests; is it the folder of a run, as results/NAME?")


def problems(run: Path) -> Iterator[str]:
    """One line for each file of a run that is not as it was written, or that nothing vouches for.

    Parameters
    ----------
    run : Path
        Folder of the run.
    """
    known: dict[str, str] = {}
    read = {manifest: _read(manifest) for manifest in _manifests(run)}
    names = Counter(line.run for lines, _ in read.values() for line in lines).most_common(1)
    for manifest, (lines, whole) in read.items():
        if not (lines and whole and all(line.run == names[0][0] for line in lines)):
            yield _told(run, _name(run, manifest), "is damaged")
        for line in lines:
            if known.setdefault(line.file, line.checksum) != line.checksum:
                yield _told(run, line.file, "two manifests name it, with other checksums")
    for file, checksum in known.items():
        if (wrong := _wrong(run / file, checksum)) is not None:
            yield _told(run, file, wrong)
    for path in sorted(run.rglob("*")):
        named = path.is_relative_to(run / FOLDER) or _name(run, path) in known
        if not (named or path.is_dir() or _UNFINISHED.fullmatch(path.name)):
            yield _told(run, _name(run, path), _UNNAMED)


def problem(file: Path) -> str | None:
    """What is wrong with one file of a run, in a line; None if it is as it was written."""
    run = run_of(file)
    name, known = _name(run, file), recorded(run)
    wrong = _wrong(file, known[name]) if name in known else _UNNAMED
    return None if wrong is None else _told(run, name, wrong)


def check(checksums: Mapping[Path, str], run: Path) -> None:
    """Refuse files that are not as the jobs of a run wrote them.

    Parameters
    ----------
    checksums : mapping
        File -> checksum. What is not below the folder of the run is of no job of it.
    run : Path
        Folder of the run.

    Raises
    ------
    UserError
        If a file was changed since, or no manifest names it.
    """
    known = recorded(run)
    for file, checksum in checksums.items():
        if file.is_relative_to(run) and known.get(_name(run, file)) != checksum:
            raise UserError(problem(file) or f"{file}: was changed while it was read")


def recorded(run: Path) -> dict[str, str]:
    """Path below the folder of a run -> checksum, of all files that its manifests name."""
    return {line.file: line.checksum for m in _manifests(run) for line in _read(m)[0]}


_UNNAMED = "no manifest names it: its line or its manifest was lost, or it is not of this run"


def _manifests(run: Path) -> list[Path]:
    return sorted((run / FOLDER).rglob("*.sha256"))


class _Line(NamedTuple):
    """A checksum, the name that the run had, and a file below the folder of the run."""

    checksum: str
    run: str
    file: str


def _read(manifest: Path) -> tuple[list[_Line], bool]:
    """The lines of a manifest, and whether there is nothing else."""
    try:
        text = manifest.read_bytes().decode()
    except (OSError, ValueError):
        return [], False
    found = [_LINE.fullmatch(line) for line in text.split("\n")[:-1]]
    lines = [_Line(*line.groups()) for line in found if line and ".." not in line[3].split("/")]
    return lines, len(lines) == len(found) and text.endswith("\n")


def _name(run: Path, file: Path) -> str:
    return file.relative_to(run).as_posix()


def _wrong(file: Path, checksum: str) -> str | None:
    """What is wrong with a file that should have a checksum."""
    if file.is_dir():
        return "is a folder"
    if not file.exists():
        return "is missing"
    if sha256(file) == checksum:
        return None
    return "is not what was written" if file.stat().st_size else "is empty"


def _told(run: Path, file: str, wrong: str) -> str:
    target = PurePosixPath("results", run.absolute().name, file)
    return f"{run / file}: {wrong}; `snakemake --force {target}` makes it again"
