"""``nenni defend``: put a baseline defence into a trained network and write it to a file."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nenni.cli import arguments
from nenni.core import plugins
from nenni.core.errors import refusal

if TYPE_CHECKING:
    from nenni.method.baseline import Baseline

TEACHES = f"""examples:
  nenni defend weights.pt --model my_module:build --data train --baseline pni --out pni.safetensors
  nenni defend base.safetensors --data x.npz --baseline quantised:bits=4 --layers 'layer[34].*'
    --out int4.safetensors

Calibrates the baseline on a batch of training images and writes a file that nenni.load and the
other commands read, as that of nenni inject. What it learns is as it begins: train the network on,
in Python or by a config. The page on other defences says what each is, config/README.md what it
can be told.

{arguments.NETWORK}

{arguments.DATA}"""


def add(commands: Any) -> None:
    """Add the command's arguments."""
    does = "put what others proposed into a network: PNI, k-WTA, INT8 and so on"
    parser = arguments.command(commands, "defend", does, TEACHES)
    arguments.add_network(parser)
    arguments.add_images(parser)
    arguments.add_amount(parser)
    arguments.add_batch_size(parser, "nenni.method.defend", "defend")
    listed = ", ".join(plugins.names("baseline"))
    parser.add_argument(
        "--baseline", required=True, metavar=arguments.PLUGIN, help=f"one of {listed}"
    )
    parser.add_argument(
        "--layers",
        nargs="+",
        action="extend",
        metavar="PATTERN",
        help="of names, or of types after type:, with a leading ! those to leave alone (those that"
        " it changes by itself)",
    )
    parser.add_argument(
        "--without-noise", action="store_true", help="switch its noise off: the ablation"
    )
    arguments.add_machine(parser)
    parser.add_argument("--out", type=Path, required=True, help="the network, safetensors")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Run the command."""
    from nenni.data.batches import one_image
    from nenni.evaluation.preconditions import check_classifier
    from nenni.method.baseline import baseline_layers
    from nenni.method.defend import defend, set_noise
    from nenni.method.network_file import save

    device = arguments.prepare(parsed)
    baseline = read_baseline(parsed)
    images = arguments.read_images(parsed, shuffled=True)
    network = arguments.read_network(parsed, images).to(device)
    check_classifier(network, one_image(images, network))
    defended = defend(network, baseline, images, batch_size=parsed.batch_size, seed=parsed.seed)
    if parsed.without_noise:
        set_noise(defended, on=False)
    save(defended, parsed.out)
    names = [name for name, _ in baseline_layers(defended)]
    print("\n".join(names))  # noqa: T201
    print(f"\n{parsed.out}: {baseline} in {len(names)} layers")  # noqa: T201


def read_baseline(parsed: argparse.Namespace) -> "Baseline":
    """The baseline that the flags choose.

    Raises
    ------
    UserError
        If a name, a key or a value is wrong.
    """
    from pydantic_core import PydanticCustomError

    from nenni.core import settings

    asked = arguments.plugin(parsed.baseline, "--baseline")
    if parsed.layers is not None:
        asked["layers"] = parsed.layers
    try:
        checked = settings.validate("baseline", asked)
    except PydanticCustomError as error:
        raise refusal("--baseline", settings.problems_in(error)) from None
    baseline: Baseline = plugins.build("baseline", checked)
    return baseline
