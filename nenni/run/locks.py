"""Locks that a killed Snakemake leaves behind.

Snakemake's own locks do not say whose they are. Each run of the workflow therefore keeps a note of
its process and its lock files, and holds the note locked for as long as it lives: however it ends,
the operating system lets go of the note, and no later process of the same number is taken for it.

A lock is removed only where all is known: the run that wrote it is dead, its jobs ran on this
machine, and none of them still works in the folder. A lock that no note tells of is that of a run
which was killed before it told its locks, or of another program. It is removed only if there is
such a run and none lives; else it is kept: the person at the keyboard may know whose it is.
"""

import atexit
import fcntl
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import psutil

NOTES = "nenni_runs"
"""Folder of the notes, in ``.snakemake``."""
_JOB = re.compile(r"(?<=-m )(nenni (stage|stamp) \S+|hwmodel)(?=\s|$)")
"""What the command line of a job has, and that of the shell around it."""
_UNLOCK = "snakemake --unlock"


class Lock(NamedTuple):
    """A lock file; a later one of its name was written at another time, in ns."""

    name: str
    written: int


class Found(NamedTuple):
    """What became of one owner's locks: a sentence, and what it is about."""

    told: str
    removed: bool
    owner_is_dead: bool


class Note:
    """The running process's note, which goes when the process ends.

    Parameters
    ----------
    folder : Path
        The folder of all notes.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{os.getpid()}.{os.urandom(4).hex()}.json"
        self._file = self._path.open("xb", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._write(None, elsewhere=False)
        atexit.register(self._discard, os.getpid())

    def tell_locks(self, files: list[Path], *, elsewhere: bool) -> None:
        """Note the lock files of this run, and whether its jobs run on other machines."""
        self._write([lock for file in files for lock in _lock(file)], elsewhere)

    def _write(self, locks: list[Lock] | None, elsewhere: bool) -> None:
        told = {
            "host": socket.gethostname(), "pid": os.getpid(), "locks": locks,
            "elsewhere": elsewhere,
        }  # fmt: skip
        os.pwrite(self._file.fileno(), json.dumps(told).encode().ljust(512), 0)  # never half of it

    def _discard(self, pid: int) -> None:
        if os.getpid() == pid:  # no fork of it
            self._path.unlink(missing_ok=True)


def begin(folder: Path) -> tuple[Note | None, list[str]]:
    """Remove what dead runs left in a ``.snakemake`` folder, then note the running process there.

    Returns
    -------
    Note or None
        None where the file system cannot lock files; nothing is removed there.
    list of str
        What was removed, and what is still held for dead runs.
    """
    try:
        with _alone(folder):
            found = _remove_dead_locks(folder)
            return Note(folder / NOTES), [each.told for each in found if each.owner_is_dead]
    except OSError:
        return None, []


def remove_dead_locks(folder: Path) -> list[Found]:
    """Remove the locks in a ``.snakemake`` folder whose owners are dead; says what it found.

    Raises
    ------
    OSError
        If a lock cannot be removed, or the file system cannot lock files.
    """
    if not _locks(folder):
        return []
    with _alone(folder):
        return _remove_dead_locks(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other run looks for dead ones, or notes itself, meanwhile.

    As each notes itself before it locks anything, nobody's fresh lock is taken for a dead one's.
    """
    (folder / NOTES).mkdir(parents=True, exist_ok=True)
    with (folder / NOTES / "mutex").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class _Run:
    """A run as its note tells it; `locks` is None before it has told them."""

    note: Path
    alive: bool
    host: str
    pid: int
    locks: frozenset[Lock] | None
    elsewhere: bool

    @property
    def here(self) -> bool:
        """Whether it runs on this machine; of others it is not known whether they live."""
        return self.host == socket.gethostname()

    @property
    def dead(self) -> bool:
        return self.here and not self.alive


def _remove_dead_locks(folder: Path) -> list[Found]:
    runs = [run for note in (folder / NOTES).glob("*.json") if (run := _read(note)) is not None]
    found, unknown = [], _locks(folder)
    for run in runs:
        if own := [lock for lock in unknown if run.locks and lock in run.locks]:
            found.append(_settle(folder, own, _why_held(run, runs, folder), run.dead))
            unknown = [lock for lock in unknown if lock not in own]
    if unknown:
        untold = [run for run in runs if run.locks is None]
        if untold and all(run.dead for run in runs):
            found.append(_settle(folder, unknown, _why_held(untold[0], runs, folder), dead=True))
        else:
            found.append(_settle(folder, unknown, _unknown(runs), dead=False))
    left = set(_locks(folder))
    for run in runs:
        if run.dead and left.isdisjoint(unknown if run.locks is None else run.locks):
            run.note.unlink(missing_ok=True)
    return found


def _settle(folder: Path, locks: list[Lock], why: tuple[str, bool], dead: bool) -> Found:
    """Remove the locks of one owner, unless they are held."""
    told, held = why
    if not held:
        for lock in set(locks).intersection(_locks(folder)):
            (folder / "locks" / lock.name).unlink(missing_ok=True)
    return Found(f"{folder / 'locks'}: {told}", not held, dead)


def _why_held(run: _Run, runs: list[_Run], folder: Path) -> tuple[str, bool]:
    """What is to be said of a run's locks, and whether they are kept."""
    if not run.here:
        return f"locked by process {run.pid} on {run.host}; if it has ended: {_UNLOCK}", True
    if run.alive:
        return f"locked by process {run.pid}, which is running", True
    gone = f"process {run.pid} that held it is gone"
    if run.elsewhere:
        besides = "but its jobs on other machines may still run; if none does"
        return f"kept, {gone}, {besides}: {_UNLOCK}", True
    if jobs := _jobs(folder, {each.pid for each in runs if each.here and each.alive}):
        working, pids = ", ".join(sorted(set(jobs.values()))), " ".join(map(str, sorted(jobs)))
        return (
            f"kept, {gone}, but its jobs still work here ({working}); wait for them, or end them "
            f"with: kill {pids}"
        ), True
    return f"removed, {gone}", False


def _unknown(runs: list[_Run]) -> tuple[str, bool]:
    living = ", ".join(str(run.pid) for run in runs if not run.dead)
    besides = f" (process {living} may be running)" if living else ""
    return f"locked, by whom is not known{besides}; if nothing runs here: {_UNLOCK}", True


def _jobs(folder: Path, living: set[int]) -> dict[int, str]:
    """Processes that work on jobs beside a ``.snakemake`` folder, for no run that lives."""
    here, found = folder.resolve().parent, {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            job = _JOB.search(" ".join(process.cmdline()))
            if not job or not here.samefile(process.cwd()):
                continue
            if living.isdisjoint(parent.pid for parent in process.parents()):
                found[process.pid] = job[0]
    return found


def _locks(folder: Path) -> list[Lock]:
    """The lock files that are in a ``.snakemake`` folder."""
    return sorted(lock for file in (folder / "locks").glob("*.lock") for lock in _lock(file))


def _lock(file: Path) -> Iterator[Lock]:
    """A lock file, unless a Snakemake that ended has taken it away with its own."""
    with suppress(FileNotFoundError):
        yield Lock(file.name, file.stat().st_mtime_ns)


def _read(note: Path) -> _Run | None:
    """The run of a note; None if it has just ended, or the note is damaged."""
    try:
        with note.open("rb") as file:
            alive, told = _is_locked(file), json.loads(file.read())
        locks = told["locks"]
        return _Run(
            note, alive, told["host"], told["pid"],
            None if locks is None else frozenset(Lock(name, written) for name, written in locks),
            told["elsewhere"],
        )  # fmt: skip
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _is_locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
