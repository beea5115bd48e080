"""What the commands of ``python -m hwmodel`` have in common: the network, and where it runs."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hwmodel.errors import UserError
from hwmodel.preset_files import energy_table_names, preset_names

if TYPE_CHECKING:
    from hwmodel.network_spec import Network

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


class Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"hwmodel: {message} (see --help)\n")


def _count(text: str) -> int:
    if not (text.isdecimal() and 0 < len(text) < 8 and int(text)):
        raise argparse.ArgumentTypeError(f"should be a whole number of 1 or more, got {text!r}")
    return int(text)


def add_platform(parser: Parser) -> None:
    """The network, and what it runs on."""
    parser.add_argument("layers", type=Path, metavar="layers.json", help="the network's layers")
    parser.add_argument(
        "--preset",
        nargs="+",
        action="extend",
        metavar="NAME",
        help=f"platforms: {', '.join(preset_names())} (default: all of them), or files of your own",
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


def add_assumptions(parser: Parser) -> None:
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


def network_of(arguments: argparse.Namespace) -> "Network":
    """The network of the file, or as if the method were injected into it."""
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
