"""``nenni unlock``: remove the lock of a snakemake that was killed on this machine."""

import argparse
from pathlib import Path
from typing import Any

from nenni.cli import arguments


def add(commands: Any) -> None:
    """Add the command's arguments."""
    parser = arguments.command(
        commands,
        "unlock",
        "remove the lock of a snakemake that was killed on this machine",
        "example: nenni unlock",
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Run the command."""
    from nenni.run.locks import remove_dead_lock

    if message := remove_dead_lock(Path(".snakemake")):
        print(message)  # noqa: T201
