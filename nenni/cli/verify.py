"""``nenni verify``: find damaged, lost or exchanged files of a run."""

import argparse
from pathlib import Path
from typing import Any

from nenni.cli import arguments


def add(commands: Any) -> None:
    """Add the command's arguments."""
    parser = arguments.command(
        commands,
        "verify",
        "find damaged, lost or exchanged files of a run",
        "example: nenni verify results/mnist5k\n\n"
        "A line for each file that is not as the workflow wrote it, and status 1. Its command\n"
        "makes the file again where the workflow runs, with the run's --configfile if it has one.",
    )
    parser.add_argument(
        "results", type=Path, nargs="+", help="folders of runs, or single files of theirs"
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Run the command; the status is 1 if something is wrong."""
    from nenni.run import manifests

    found, seen = [], 0
    for path in parsed.results:
        folder = manifests.run_of(path)
        if folder != path:
            problem = manifests.problem(path)
            found += [problem] if problem else []
            seen += 1
        else:
            found += manifests.problems(path)
            seen += len(manifests.recorded(path))
    for problem in found:
        print(problem)  # noqa: T201
    if not found:
        print(f"{seen} files: all as they were written")  # noqa: T201
    return 1 if found else 0
