"""Command line: ``python -m hwmodel layers.json``."""

import argparse
import gc
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hwmodel.arguments import Parser, add_assumptions, add_platform, network_of
from hwmodel.errors import UserError
from hwmodel.export_command import export, levels
from hwmodel.metrics import METRICS
from hwmodel.preset_files import preset_names
from hwmodel.technology_command import technology

_DESCRIPTION = """\
Operations, BitOPs, estimated latency and energy of a network with noise injected into its
non-essential neurons, projection and selection included, against dense FP32, FP16 and INT8.

A summary goes to standard output, with --layers tables of every layer; --operations, --reductions
and so on write them as CSV.
"""

_EPILOG = """\
example:
  python -m hwmodel layers.json --preset server_cpu --reductions reductions.csv
  python -m hwmodel layers.json --projection ternary:shared --fraction 0.25 --granularity 16x8
  python -m hwmodel layers.json --projection ternary --exact-bits 8 --preset systolic_32x32
  python -m hwmodel verdict layers.json --preset edge_npu      (is it worth building?)
  python -m hwmodel export layers.json --preset edge_npu --zigzag FOLDER --timeloop FOLDER
  python -m hwmodel levels layers.json --preset mine.toml --csv levels.csv
  python -m hwmodel technology mine.toml --zigzag hardware.yaml mapping.yaml
  python -m hwmodel calibrate mine.toml      (needs torch; a minute on an idle machine)
  python -m hwmodel layers.json --preset mine.toml

layers.json lists the convolution and linear layers with their shapes, bits and measured fractions
(see hwmodel/network_spec.py and hwmodel/layer_spec.py for every key). Latency is a roofline
estimate: every constant of a preset states whether it is measured, from a data sheet or assumed
(see hwmodel/presets).
"""

_TABLES = {
    "operations": "operations and BitOPs per layer and term",
    "reductions": "saved BitOPs per layer, baseline and variant",
    "latency": "seconds per layer and platform",
    "energy": "picojoules per layer, platform and bits of the exact path",
    "crossover": "speed-up and crossover per layer, bits and platform",
    "speedup": "speed-up per layer, platform and share of essential neurons",
    "roofline": "intensity, rate, utilisation and cycles of each product per platform",
    "traffic": "bytes of each phase from memory, and to and from a systolic array",
    "verdict": "time and energy of the method and of alternatives against dense INT8, with ranges",
}


def _parser() -> Parser:
    parser = Parser(
        prog="python -m hwmodel",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_platform(parser)
    parser.add_argument(
        "--layers",
        dest="every_layer",
        action="store_true",
        help="print tables of every layer in place of a summary",
    )
    add_assumptions(parser)
    parser.add_argument(
        "--metric",
        choices=METRICS,
        default="product",
        help="BitOPs of a multiply-accumulate: product of the bits (default), their sum, or the"
        " product with the accumulator's bits",
    )
    parser.add_argument(
        "--plan",
        type=Path,
        metavar="OUT.json",
        help="write layers.json with the layers left dense that are slower injected (one --preset)",
    )
    for name, content in _TABLES.items():
        parser.add_argument(f"--{name}", type=Path, metavar="OUT.csv", help=content)
    return parser


def _verdict_parser() -> Parser:
    parser = Parser(
        prog="python -m hwmodel verdict",
        description="Is it worth building? Time and energy of the method, or of another defence"
        " that the file records, and of what else could be done with the network, against dense"
        " INT8 on one platform or more, each with its range over the constants that are assumed,"
        " and the assumption that turns the sign.",
    )
    add_platform(parser)
    add_assumptions(parser)
    parser.add_argument(
        "--accuracy",
        nargs="+",
        action="extend",
        default=[],
        type=_accuracy,
        metavar="WAY=SHARE",
        help="accuracy of a row that was measured, as 'this method=0.61'",
    )
    parser.add_argument(
        "--beside",
        nargs="+",
        action="extend",
        default=[],
        type=_named_file,
        metavar="NAME=layers.json",
        help="rows of the same network with another defence, or injected otherwise",
    )
    return parser


def _named_file(text: str) -> tuple[str, str]:
    name, _, file = text.partition("=")
    if not name or not file:
        raise argparse.ArgumentTypeError(f"should be NAME=layers.json, got {text!r}")
    return name, file


def _accuracy(text: str) -> tuple[str, float]:
    way, _, share = text.rpartition("=")
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if not way or not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"should be WAY=SHARE, a share in [0, 1], got {text!r}")
    return way, value


def _check_paths(layers: Path, outputs: Sequence[Path]) -> None:
    paths = [path.resolve() for path in (layers, *outputs)]
    if len(set(paths)) < len(paths):
        raise UserError("layers.json and the CSV files should be different files")
    for path in outputs:
        if not path.parent.is_dir():
            raise UserError(f"{path}: there is no folder {path.parent}")


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
    from hwmodel import csv_output
    from hwmodel.crossover import plan
    from hwmodel.energy_table import load_energy_table
    from hwmodel.network_summary import summary
    from hwmodel.preset import load_preset
    from hwmodel.report import full_report
    from hwmodel.tables import tables

    given = {name: getattr(arguments, name) for name in _TABLES}
    wanted = {name: path for name, path in given.items() if path is not None}
    plans = [] if arguments.plan is None else [arguments.plan]
    _check_paths(arguments.layers, [*wanted.values(), *plans])
    if arguments.plan is not None and len(set(arguments.preset or ())) != 1:
        raise UserError("a plan is for one platform: give one --preset")
    network = network_of(arguments)
    presets = {name: load_preset(name) for name in arguments.preset or preset_names()}
    table, batch = load_energy_table(arguments.energy_table), arguments.batch
    planned = None
    if arguments.plan is not None:
        (preset,) = presets.values()
        planned = plan(network, preset, batch)
    made = tables(network, presets, table, batch, arguments.metric)
    for name, path in wanted.items():
        csv_output.write_atomically(path, made[name]())
    if planned is not None:
        csv_output.write_atomically(arguments.plan, f"{planned.model_dump_json(indent=1)}\n")
    printed = full_report if arguments.every_layer else summary
    return printed(network, presets, table, batch, arguments.metric)


def _verdict(arguments: argparse.Namespace) -> str:
    from hwmodel.comparison import compare
    from hwmodel.energy_table import load_energy_table
    from hwmodel.network_spec import load
    from hwmodel.preset import load_preset
    from hwmodel.verdict_text import verdict

    network, batch = network_of(arguments), arguments.batch
    table = load_energy_table(arguments.energy_table)
    beside = {name: load(file) for name, file in arguments.beside}
    found = []
    for name in arguments.preset or preset_names():
        compared = compare(network, load_preset(name), table, batch, beside)
        found.append(verdict(network, name, compared, batch, dict(arguments.accuracy)))
    return "\n\n\n".join(found)


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
    words = list(sys.argv[1:] if argv is None else argv)
    if sys.stdout is None:
        sys.stdout = io.StringIO()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of layers, on any terminal
    try:
        if words[:1] == ["calibrate"]:
            return _calibrate(words[1:])
        if words[:1] == ["export"]:
            text = export(words[1:])
        elif words[:1] == ["levels"]:
            text = levels(words[1:])
        elif words[:1] == ["technology"]:
            text = technology(words[1:])
        elif words[:1] == ["verdict"]:
            text = _verdict(_verdict_parser().parse_args(words[1:]))
        else:
            text = run(_parser().parse_args(words))
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}")
    except UserError as error:
        return _fail(str(error))
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            return _fail(f"what is printed cannot be written ({error.strerror})")
    return 0


def _calibrate(words: Sequence[str]) -> int:
    from hwmodel import csv_output
    from hwmodel.calibration import measure

    parser = Parser(
        prog="python -m hwmodel calibrate",
        description="Measure the rates, the bandwidth and the overhead of this machine, one thread"
        " of it, and write them as a preset. Nothing else should run meanwhile.",
    )
    parser.add_argument("out", type=Path, metavar="OUT.toml", help="the preset")
    out = parser.parse_args(words).out
    if out.suffix != ".toml" or not out.resolve().parent.is_dir():
        raise UserError(f"{out}: should end in .toml, in a folder that exists")
    text = measure(lambda line: print(line, flush=True))  # noqa: T201
    csv_output.write_atomically(out, text)
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"hwmodel: {message}\n")
    return 2


if __name__ == "__main__":
    gc.disable()  # a large network is many objects, and none of them garbage
    sys.exit(main())
