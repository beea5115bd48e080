"""``nenni fingerprint``: what this machine computes, to compare with another's."""

import argparse
from pathlib import Path
from typing import Any

from nenni.cli import arguments

TEACHES = """examples:
  nenni fingerprint
  nenni fingerprint --instruction-set avx2 --out results/reference/fingerprints.csv

Trains the small CNN a few steps, injects, fits, fine-tunes and attacks it, on one thread and on
images that need no data, and prints a hash of the bytes of each part. --out adds the row to a table
of several machines, in place of one of the same kind, and says of each other row with the same
instruction set which parts have other bytes."""


def add(commands: Any) -> None:
    """Add the command's arguments."""
    does = "say what this machine computes, to compare with another's"
    parser = arguments.command(commands, "fingerprint", does, TEACHES)
    arguments.add_instruction_set(parser)
    parser.add_argument("--out", type=Path, metavar="CSV", help="the table that gets the row")
    parser.add_argument(
        "--processor", metavar="NAME", help="its name, where the system tells another's: in an "
        "emulator"
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Run the command."""
    from nenni.run.fingerprint import fingerprint

    found = fingerprint()
    if parsed.processor is not None:
        found |= {"processor": parsed.processor, "model": "", "caches": ""}
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:{width}}  {value}".rstrip())  # noqa: T201
    if parsed.out is not None:
        _keep(parsed.out, found)


def _keep(file: Path, found: dict[str, str]) -> None:
    """Put the row into the table, and compare it with those that are there."""
    import pandas as pd

    from nenni.core.io import read_csv, write_csv
    from nenni.run.fingerprint import is_same_kind, parts_that_differ

    known = read_csv(file, text=True).to_dict("records") if file.exists() else []
    others = [row for row in known if not is_same_kind(row, found)]
    write_csv(file, pd.DataFrame([*others, found]))
    print(f"\n{file}: {len(others) + 1} rows")  # noqa: T201
    for row in others:
        if row.get("instruction_set") == found["instruction_set"]:
            told = (row.get(column) for column in ("processor", "model", "torch", "environment"))
            differ = parts_that_differ(row, found)
            said = f"other bytes in {', '.join(differ)}" if differ else "the same bytes"
            print(f"{', '.join(filter(None, told))}: {said}")  # noqa: T201
