"""Command line: ``python -m hwmodel layers.json``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from hwmodel.errors import UserError
from hwmodel.preset_files import energy_table_names, preset_names

_DESCRIPTION = """\
Operations, BitOPs, estimated latency and energy of a network with noise injected into its
non-essential neurons, projection and selection included, against dense FP32, FP16 and INT8.

The tables go to standard output; --operations, --reductions, --latency and --energy write CSV too.
"""

_EPILOG = """\
example:
  python -m hwmodel layers.json --preset server_cpu --reductions reductions.csv

layers.json lists the convolution and linear layers with their shapes, bits and measured fractions
(see hwmodel/layer_spec.py for every key). Latency is a roofline estimate: every constant of
a preset states whether it is measured, from a data sheet or assumed (see hwmodel/presets).
"""


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"hwmodel: {message} (see --help)\n")


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m hwmodel",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("layers", type=Path, metavar="layers.json", help="the network's layers")
    parser.add_argument(
        "--preset",
        nargs="+",
        action="extend",
        metavar="NAME",
        help=f"platforms for the latency (default: all of {', '.join(preset_names())})",
    )
    parser.add_argument(
        "--energy-table",
        default="horowitz_45nm",
        metavar="NAME",
        help=f"picojoules of operations and bytes (known: {', '.join(energy_table_names())})",
    )
    for name, content in (
        ("operations", "operations and BitOPs per layer and term"),
        ("reductions", "saved BitOPs per layer, baseline and variant"),
        ("latency", "seconds per layer and platform"),
        ("energy", "picojoules per layer and bits of the exact path"),
    ):
        parser.add_argument(f"--{name}", type=Path, metavar="OUT.csv", help=content)
    return parser


def _check_paths(layers: Path, outputs: Sequence[Path]) -> None:
    paths = [path.resolve() for path in (layers, *outputs)]
    if len(set(paths)) < len(paths):
        raise UserError("layers.json and the CSV files should be different files")


def run(arguments: argparse.Namespace) -> str:
    """Write the CSV files that were asked for.

    Parameters
    ----------
    arguments
        As parsed from the command line.

    Returns
    -------
    str
        The tables as text.
    """
    from hwmodel import csv_output, report
    from hwmodel.bitops import count_operations
    from hwmodel.energy_estimate import energy
    from hwmodel.energy_table import load_energy_table
    from hwmodel.layer_spec import load
    from hwmodel.preset import load_preset
    from hwmodel.reduction import reductions
    from hwmodel.roofline import latency

    wanted = (arguments.operations, arguments.reductions, arguments.latency, arguments.energy)
    _check_paths(arguments.layers, [path for path in wanted if path is not None])
    network = load(arguments.layers)
    names = dict.fromkeys(arguments.preset or preset_names())
    presets = {name: load_preset(name) for name in names}
    table = load_energy_table(arguments.energy_table)
    terms = count_operations(network)
    rows = reductions(network)
    latencies = {name: latency(network, preset) for name, preset in presets.items()}
    energies = energy(network, table)
    texts = (
        csv_output.operations_csv(terms),
        csv_output.reductions_csv(rows),
        csv_output.latency_csv(latencies.items()),
        csv_output.energy_csv(energies),
    )
    for path, text in zip(wanted, texts, strict=True):
        if path is not None:
            csv_output.write_atomically(path, text)
    platforms = [(name, preset, latencies[name]) for name, preset in presets.items()]
    return report.full_report(network, terms, rows, platforms, (table, energies))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments; those of the process by default.

    Returns
    -------
    int
        Exit status: 0, or 2 after a user's mistake, which is told in one line.
    """
    arguments = _parser().parse_args(argv)
    try:
        text = run(arguments)
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}")
    except UserError as error:
        return _fail(str(error))
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"hwmodel: {message}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
