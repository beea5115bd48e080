"""``python -m hwmodel export`` and ``levels``: to mappers, and back."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hwmodel.arguments import Parser, add_assumptions, add_platform, network_of
from hwmodel.errors import UserError
from hwmodel.preset_files import preset_names

WORKLOAD = "workload.yaml"
"""All workloads for ZigZag, in its folder."""


def _platform(arguments: argparse.Namespace) -> str:
    chosen = set(arguments.preset or ())
    if len(chosen) != 1:
        raise UserError(f"give one --preset: {', '.join(preset_names())}, or a file of your own")
    return str(chosen.pop())


def export(words: Sequence[str]) -> str:
    """Write the products of each phase as files for mappers.

    Parameters
    ----------
    words
        Of the command line.

    Returns
    -------
    str
        What was written.
    """
    parser = Parser(
        prog="python -m hwmodel export",
        description="Write the products of each phase for ZigZag (a list of layers) and for"
        " Timeloop and Sparseloop (a problem each, with the measured densities).",
    )
    add_platform(parser)
    add_assumptions(parser)
    for tool, content in (("zigzag", WORKLOAD), ("timeloop", "LAYER.PHASE.yaml for each product")):
        parser.add_argument(f"--{tool}", type=Path, metavar="FOLDER", help=f"write {content} there")
    arguments = parser.parse_args(words)
    from hwmodel.export_timeloop import timeloop_yaml
    from hwmodel.export_zigzag import zigzag_yaml
    from hwmodel.preset import load_preset
    from hwmodel.workload import workloads

    preset = load_preset(_platform(arguments))
    found = workloads(network_of(arguments), preset, arguments.batch)
    texts: dict[Path, str] = {}
    if arguments.zigzag is not None:
        texts[arguments.zigzag / WORKLOAD] = zigzag_yaml(found)
    if arguments.timeloop is not None:
        texts |= {arguments.timeloop / f"{each.name}.yaml": timeloop_yaml(each) for each in found}
    if not texts:
        raise UserError("give --zigzag FOLDER or --timeloop FOLDER")
    if len({each.name for each in found}) < len(found):
        raise UserError("names of layers: should differ in letters, digits, '.', '_' or '-'")
    _write(texts)
    return f"{len(found)} products in {len(texts)} files"


def _write(texts: dict[Path, str]) -> None:
    from hwmodel.csv_output import write_atomically

    for folder in {path.parent for path in texts}:
        if not folder.parent.is_dir():
            raise UserError(f"{folder}: there is no folder {folder.parent}")
        folder.mkdir(exist_ok=True)
    for path, text in texts.items():
        write_atomically(path, text)


def levels(words: Sequence[str]) -> str:
    """Write the energy of each phase at each level, by this model and as mappers have it.

    Parameters
    ----------
    words
        Of the command line.

    Returns
    -------
    str
        What was written.
    """
    parser = Parser(
        prog="python -m hwmodel levels",
        description="Energy of each phase at each level of memory, and its cycles: by this model,"
        " and of files that ZigZag or Timeloop made of exported products.",
    )
    add_platform(parser)
    add_assumptions(parser)
    parser.add_argument("--csv", type=Path, metavar="OUT.csv", required=True, help="the table")
    parser.add_argument("--zigzag", type=Path, metavar="FOLDER", help="NAME_complete.json files")
    parser.add_argument("--timeloop", type=Path, metavar="FOLDER", help="NAME.stats.txt files")
    arguments = parser.parse_args(words)
    from hwmodel.cost_by_level import level_costs, timeloop_costs, zigzag_costs
    from hwmodel.csv_output import levels_csv, write_atomically
    from hwmodel.energy_table import load_energy_table
    from hwmodel.preset import load_preset
    from hwmodel.workload import workloads

    name, network, batch = _platform(arguments), network_of(arguments), arguments.batch
    preset, table = load_preset(name), load_energy_table(arguments.energy_table)
    rows = level_costs(network, name, preset, table, batch)
    exported = workloads(network, preset, batch)
    if arguments.zigzag is not None:
        rows += zigzag_costs(exported, arguments.zigzag)
    if arguments.timeloop is not None:
        rows += timeloop_costs(exported, arguments.timeloop)
    if not arguments.csv.parent.is_dir():
        raise UserError(f"{arguments.csv}: there is no folder {arguments.csv.parent}")
    write_atomically(arguments.csv, levels_csv(rows, batch))
    return f"{len(rows)} rows in {arguments.csv}"
