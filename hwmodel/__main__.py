"""Command line: ``python -m hwmodel layers.json``."""

import argparse
import gc
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hwmodel.errors import UserError
from hwmodel.metrics import METRICS
from hwmodel.preset_files import energy_table_names, preset_names

if TYPE_CHECKING:
    from hwmodel.network_spec import Network

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
  python -m hwmodel calibrate mine.toml      (needs torch; a minute on an idle machine)
  python -m hwmodel layers.json --preset mine.toml

layers.json lists the convolution and linear layers with their shapes, bits and measured fractions
(see hwmodel/network_spec.py and hwmodel/layer_spec.py for every key). Latency is a roofline
estimate: every constant of a preset states whether it is measured, from a data sheet or assumed
(see hwmodel/presets).
"""

_ASSUMED = {
    "ratio": 0.125,
    "fraction": 0.5,
    "granularity": "1x1",
    "algorithm": "quickselect",
    "bits": 4,
    "exact_bits": None,
}
_ALGORITHMS = ("quickselect", "bisection")
_BITS = (2, 3, 4, 5, 6, 7, 8, 16, 32)
_MATRICES = ("ternary", "real", "single", "ternary:shared", "real:shared", "single:shared")
_TABLES = {
    "operations": "operations and BitOPs per layer and term",
    "reductions": "saved BitOPs per layer, baseline and variant",
    "latency": "seconds per layer and platform",
    "energy": "picojoules per layer, platform and bits of the exact path",
    "crossover": "speed-up and crossover per layer, bits and platform",
    "speedup": "speed-up per layer, platform and share of essential neurons",
    "roofline": "intensity, rate, utilisation and cycles of each product per platform",
    "traffic": "bytes of each phase from memory, and to and from a systolic array",
}


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"hwmodel: {message} (see --help)\n")


def _count(text: str) -> int:
    if not (text.isdecimal() and 0 < len(text) < 8 and int(text)):
        raise argparse.ArgumentTypeError(f"should be a whole number of 1 or more, got {text!r}")
    return int(text)


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
        help=f"platforms for the latency: {', '.join(preset_names())} (default: all of them), or "
        "files of your own",
    )
    parser.add_argument(
        "--batch",
        type=_count,
        default=1,
        help="inputs at once, for times, bytes moved and energy; operations are of one (1)",
    )
    parser.add_argument(
        "--energy-table",
        default="horowitz_45nm",
        metavar="NAME",
        help=f"picojoules of operations and bytes: {', '.join(energy_table_names())}, or a file of "
        "your own",
    )
    parser.add_argument(
        "--layers",
        dest="every_layer",
        action="store_true",
        help="print tables of every layer in place of a summary",
    )
    _add_assumptions(parser)
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


def _add_assumptions(parser: _Parser) -> None:
    """The options that describe a network as if the method were injected."""
    parser.add_argument(
        "--projection",
        choices=_MATRICES,
        help="cost the network as if the method were injected into all layers but the first, the "
        "last, grouped ones and those with fewer than 64 inputs a neuron, instead of what the file "
        "records; by the entries of P: a third of them +-1 (ternary), all of them real numbers, or "
        "a single +-1 for each input; 'shared': over channels alone, once for all taps of a kernel",
    )
    for option, kind, content, choices in (
        ("ratio", float, "rows of P over inputs, k / d", None),
        ("fraction", float, "share of essential neurons", None),
        (
            "granularity",
            str,
            "neurons that are essential or not together, channels x positions: 1x1, 16x8, 1xall "
            "(whole channels), allx1; or 2:4 for 2 of every 4 neighbouring channels",
            None,
        ),
        ("algorithm", str, "how single neurons are ranked", _ALGORITHMS),
        ("bits", int, "of W~ and of its inputs", _BITS),
        ("exact_bits", int, "of the exact path, in all layers", _BITS),
    ):
        default = "those of the file" if _ASSUMED[option] is None else _ASSUMED[option]
        content = f"with --projection: {content} ({default})"
        words = option.replace("_", "-")
        parser.add_argument(f"--{words}", type=kind, help=content, choices=choices)


def _check_paths(layers: Path, outputs: Sequence[Path]) -> None:
    paths = [path.resolve() for path in (layers, *outputs)]
    if len(set(paths)) < len(paths):
        raise UserError("layers.json and the CSV files should be different files")
    for path in outputs:
        if not path.parent.is_dir():
            raise UserError(f"{path}: there is no folder {path.parent}")


def _network(arguments: argparse.Namespace) -> "Network":
    from hwmodel.hypothetical import injected, read_granularity
    from hwmodel.network_spec import load

    network = load(arguments.layers)
    chosen = {key: getattr(arguments, key) for key in _ASSUMED}
    if arguments.projection is None:
        given = [key.replace("_", "-") for key, value in chosen.items() if value is not None]
        if given:
            raise UserError(f"--{', --'.join(given)}: needs --projection, which injects the method")
        return network
    chosen = {key: _ASSUMED[key] if value is None else value for key, value in chosen.items()}
    granularity = read_granularity(chosen.pop("granularity"))
    if arguments.fraction is None and granularity.share is not None:
        chosen["fraction"] = granularity.share
    return injected(network, projection=arguments.projection, granularity=granularity, **chosen)


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
    network = _network(arguments)
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

    parser = _Parser(
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
