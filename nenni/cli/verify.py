"""``nenni verify``: find damaged or missing files of a run."""

import argparse
from pathlib import Path
from typing import Any

from nenni.cli import arguments
from nenni.core.errors import UserError


def add(commands: Any) -> None:
    """Add the command's arguments."""
    parser = arguments.command(
        commands,
        "verify",
        "find damaged or missing files of a run",
        "example: nenni verify results/mnist5k",
    )
    parser.add_argument("results", type=Path, nargs="+", help="folders of runs")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Run the command; the status is 1 if something is wrong."""
    from nenni.core.io import check_manifest

    problems, seen = [], 0
    for folder in parsed.results:
        manifests = sorted(folder.glob("manifests/**/*.sha256"))
        if not manifests:
            raise UserError(f"{folder}: holds no manifests; is it the folder of a run?")
        for manifest in manifests:
            problems += check_manifest(manifest)
            seen += 1
    for problem in problems:
        print(problem)  # noqa: T201
    if not problems:
        print(f"{seen} manifests: all files are as they were written")  # noqa: T201
    return 1 if problems else 0
