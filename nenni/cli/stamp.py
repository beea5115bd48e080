"""``nenni stamp``: write the checksums of files."""

import argparse
from pathlib import Path
from typing import Any

from nenni.cli import arguments


def add(commands: Any) -> None:
    """Add the command's arguments."""
    parser = arguments.command(
        commands,
        "stamp",
        "write the checksums of files",
        "example: nenni stamp files.sha256 a.csv b.csv",
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Run the command."""
    from nenni.run import manifests

    manifests.write(parsed.manifest, parsed.files)
