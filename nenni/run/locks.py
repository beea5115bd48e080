"""Locks that a killed Snakemake leaves behind.

Snakemake's own lock does not say who holds it. The workflow notes its process when it starts;
only when that process is gone, on the machine it ran on, the lock is removed.
"""

import json
import shutil
import socket
from pathlib import Path

import psutil

OWNER = "nenni_owner.json"


def note_owner(folder: Path) -> None:
    """Note the running process as the one that locks a ``.snakemake`` folder."""
    process = psutil.Process()
    note = {"host": socket.gethostname(), "pid": process.pid, "started": process.create_time()}
    (folder / OWNER).write_text(json.dumps(note), encoding="utf-8")


def remove_dead_lock(folder: Path) -> str | None:
    """Remove the locks in a ``.snakemake`` folder if their owner is dead; says what it did."""
    locks = folder / "locks"
    if not locks.is_dir() or not any(locks.iterdir()):
        return None
    try:
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        noted = (folder / OWNER).stat().st_mtime
    except (OSError, ValueError):
        noted = 0.0
    if noted < max(file.stat().st_mtime for file in locks.iterdir()):
        return f"{locks}: locked, by whom is not known; if nothing runs here: snakemake --unlock"
    if owner["host"] != socket.gethostname():
        return f"{locks}: locked by process {owner['pid']} on {owner['host']}"
    if _alive(owner["pid"], owner["started"]):
        return f"{locks}: locked by process {owner['pid']}, which is running"
    shutil.rmtree(locks)
    return f"{locks}: removed, process {owner['pid']} that held it is gone"


def _alive(pid: int, started: float) -> bool:
    try:
        return bool(abs(psutil.Process(pid).create_time() - started) < 1)
    except psutil.NoSuchProcess:
        return False
