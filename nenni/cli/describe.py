"""``nenni describe``: a network layer by layer, as the cost model reads it."""

import argparse
import json
from pathlib import Path
from typing import Any

from nenni.cli import arguments

TEACHES = f"""example:
  nenni describe noisy.safetensors --data folder --out layers.json
  python -m hwmodel layers.json --preset server_cpu

Measures on the images which share of each layer's neurons is essential, and writes shapes, bits and
projections. The second command counts what they cost.

{arguments.NETWORK}

{arguments.DATA}"""


def add(commands: Any) -> None:
    """Add the command's arguments."""
    does = "describe a network layer by layer for the cost model"
    parser = arguments.command(commands, "describe", does, TEACHES)
    arguments.add_network(parser)
    arguments.add_images(parser)
    arguments.add_amount(parser)
    arguments.add_batch_size(parser, "nenni.cost.describe", "describe")
    arguments.add_machine(parser)
    parser.add_argument(
        "--allow-uncounted",
        action="store_true",
        help="name what reads parameters and is not counted, in place of refusing the network",
    )
    parser.add_argument("--out", type=Path, help="JSON (default: on standard output)")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Run the command."""
    from nenni.core.io import write_json
    from nenni.cost.describe import describe
    from nenni.data.batches import one_image
    from nenni.evaluation.preconditions import check_classifier

    device = arguments.prepare(parsed)
    images = arguments.read_images(parsed)
    network = arguments.read_network(parsed, images).to(device)
    check_classifier(network, one_image(images, network))
    found = describe(network, images, seed=parsed.seed, allow_uncounted=parsed.allow_uncounted)
    if parsed.out is None:
        print(json.dumps(found, indent=1))  # noqa: T201
        return
    write_json(parsed.out, found)
    injected = sum(layer["injection"] is not None for layer in found["layers"])
    print(f"{parsed.out}: {len(found['layers'])} layers, {injected} injected")  # noqa: T201
    for part in found["uncounted"]:
        print(f"not counted: {part['name'] or 'the model'} ({part['operator']})")  # noqa: T201
