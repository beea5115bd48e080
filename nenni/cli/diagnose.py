"""``nenni diagnose``: look for masked gradients."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nenni.cli import arguments
from nenni.core.progress import Progress

if TYPE_CHECKING:
    from torch import nn

    from nenni.data.batches import Data
    from nenni.evaluation.done import Done

TEACHES = f"""example:
  nenni diagnose noisy.safetensors --data folder --eps 8/255 --out found

Prints one row per check, whose value is the larger the worse, and a verdict. All checks are made on
the same images.

{arguments.NETWORK}

{arguments.DATA}"""


def add(commands: Any) -> None:
    """Add the command's arguments."""
    does = "look for masked gradients, which make a network look more robust than it is"
    parser = arguments.command(commands, "diagnose", does, TEACHES)
    arguments.add_network(parser)
    arguments.add_images(parser)
    arguments.add_amount(parser, examples=200)
    arguments.add_bound(parser)
    arguments.add_machine(parser)
    parser.add_argument(
        "--out", type=Path, help="folder for diagnostics.csv and diagnostic_curves.csv"
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Run the command."""
    device = arguments.prepare(parsed)
    images = arguments.read_images(parsed, batch_size=parsed.examples)
    network = arguments.read_network(parsed, images).to(device)
    arguments.check_classes(network, images)
    diagnose_and_print(parsed, network, images)


def diagnose_and_print(
    parsed: argparse.Namespace, network: "nn.Module", data: "Data", done: "Done | None" = None
) -> None:
    """Diagnose a network, print the checks and the verdict, and write them where asked."""
    from nenni.core.io import write_csv
    from nenni.data.batches import all_labelled, device_of
    from nenni.evaluation.diagnose import diagnose

    images = all_labelled(data, device_of(network))
    found = diagnose(
        network, images, eps=parsed.eps, norm=parsed.norm, seed=parsed.seed, draws=parsed.draws,
        done=done, progress=Progress(),
    )  # fmt: skip
    if parsed.out is not None:
        write_csv(parsed.out / "diagnostics.csv", found.rows)
        write_csv(parsed.out / "diagnostic_curves.csv", found.curves)
    print(found.rows.to_string(index=False))  # noqa: T201
    print(f"\n{found.verdict} (n = {len(images[0])})")  # noqa: T201
