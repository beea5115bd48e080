"""``nenni unlock``: remove the locks of runs that were killed on this machine."""

import argparse
from pathlib import Path
from typing import Any

from nenni.cli import arguments


def add(commands: Any) -> None:
    """Add the command's arguments."""
    parser = arguments.command(
        commands,
        "unlock",
        "remove the locks of runs that were killed on this machine",
        "example: nenni unlock",
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Run the command; the status is 1 if a lock is left."""
    from nenni.run.locks import remove_dead_locks

    folder = Path(".snakemake")
    try:
        found = remove_dead_locks(folder)
    except OSError as error:
        place, why = error.filename or folder, error.strerror
        print(f"{place}: {why}; if nothing runs here: snakemake --unlock")  # noqa: T201
        return 1
    for each in found:
        print(each.told)  # noqa: T201
    return 0 if all(each.removed for each in found) else 1
