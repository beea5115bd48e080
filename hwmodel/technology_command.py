"""``python -m hwmodel technology``: constants of other tools as a preset and an energy table."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hwmodel.arguments import Parser
from hwmodel.errors import UserError


def technology(words: Sequence[str]) -> str:
    """Read constants and write them as files that every command takes.

    Parameters
    ----------
    words
        Of the command line.

    Returns
    -------
    str
        What was written.
    """
    arguments = _parser().parse_args(words)
    from hwmodel.accelergy import with_accelergy
    from hwmodel.csv_output import write_atomically
    from hwmodel.energy_table import load_energy_table
    from hwmodel.preset import load_preset
    from hwmodel.toml_text import toml_text
    from hwmodel.zigzag_hardware import read_zigzag

    if arguments.zigzag is None and arguments.accelergy is None:
        raise UserError("give --zigzag HARDWARE.yaml MAPPING.yaml or --accelergy ERT.yaml")
    table, preset = load_energy_table(arguments.energy_table), load_preset(arguments.preset)
    if arguments.zigzag is not None:
        hardware, mapping = arguments.zigzag
        preset, table = read_zigzag(hardware, mapping, preset, table)
    if arguments.accelergy is not None:
        table = with_accelergy(table, arguments.accelergy, arguments.memory_word_bytes)
    files = {arguments.out: toml_text(table)}
    if arguments.out_preset is not None:
        files[arguments.out_preset] = toml_text(preset)
    for path in files:
        if path.suffix != ".toml" or not path.resolve().parent.is_dir():
            raise UserError(f"{path}: should end in .toml, in a folder that exists")
    for path, text in files.items():
        write_atomically(path, text)
    return f"written: {', '.join(map(str, files))}"


def _bytes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 10**9:
        raise argparse.ArgumentTypeError(f"should be a number of bytes above 0, got {text!r}")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m hwmodel technology",
        description="Read the constants of an accelerator that is described for ZigZag, or energies"
        " of Accelergy's, and write them as an energy table and a preset.",
    )
    parser.add_argument("out", type=Path, metavar="ENERGY.toml", help="the energy table")
    parser.add_argument("--out-preset", type=Path, metavar="PRESET.toml", help="the preset")
    parser.add_argument(
        "--zigzag", type=Path, nargs=2, metavar=("HARDWARE.yaml", "MAPPING.yaml"),
        help="sizes, memories, widths and energies",
    )  # fmt: skip
    parser.add_argument(
        "--accelergy", type=Path, metavar="ERT.yaml", help="energies of the table's levels, by name"
    )
    parser.add_argument(
        "--memory-word-bytes", type=_bytes, default=8.0, metavar="BYTES",
        help="of an access to Accelergy's DRAM (8)",
    )  # fmt: skip
    parser.add_argument(
        "--preset", default="systolic_32x32", help="what ZigZag lacks is its (systolic_32x32)"
    )
    parser.add_argument(
        "--energy-table", default="horowitz_45nm", help="what they lack is its (horowitz_45nm)"
    )
    return parser
