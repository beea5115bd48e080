"""``nenni card``: evaluate, diagnose and cost a network, as a card that compares with others."""

import argparse
from pathlib import Path
from typing import Any

from nenni.cli import arguments, evaluate
from nenni.core.progress import Progress

TEACHES = f"""examples:
  nenni card noisy.safetensors --data folder --out noisy.json
  nenni card weights.pt --model my_module:build --data test.npz --examples 60 --out plain.json
  nenni compare plain.json noisy.json

Writes the card as JSON and, beside it, its page for a browser: how robust, can that be believed,
what does it cost.

{arguments.NETWORK}

{arguments.DATA} A call that was stopped goes on with the attacks that it lacks.

`snakemake cards` makes the cards of all networks of a run."""


def add(commands: Any) -> None:
    """Add the command's arguments."""
    does = "evaluate, diagnose and cost a network, as a card that compares with others"
    parser = arguments.command(commands, "card", does, TEACHES)
    arguments.add_network(parser)
    arguments.add_images(parser)
    arguments.add_amount(parser)
    arguments.add_batch_size(parser, "nenni.cards.card", "card")
    evaluate.add_suite(parser, "card")
    parser.add_argument(
        "--diagnosed", type=arguments.count, default=40, metavar="N",
        help="images of the diagnosis, the first so many; 200 or more tell more (%(default)s)",
    )  # fmt: skip
    arguments.add_bound(parser)
    arguments.add_machine(parser)
    parser.add_argument(
        "--name", help="what the network is called (default: its file's name, or its model's)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("card.json"), metavar="JSON",
        help="the card; its page is of the same name (default: %(default)s)",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Run the command."""
    from nenni.cards.card import card
    from nenni.cards.card_file import check_name, write_card

    check_name(parsed.out)
    device = arguments.prepare(parsed)
    images = arguments.read_images(parsed)
    network = arguments.read_network(parsed, images).to(device)
    arguments.check_classes(network, images)
    file = parsed.file if parsed.weights is None else parsed.weights
    found = card(
        network, images, evaluate.read_suite(parsed.suite),
        name=parsed.name or (None if file is None else Path(file).stem),
        data_name=parsed.data.name, eps=parsed.eps, norm=parsed.norm, diagnosed=parsed.diagnosed,
        batch_size=parsed.batch_size, draws=parsed.draws, seed=parsed.seed,
        resume=evaluate.checkpoint(parsed, "card"), progress=Progress(),
    )  # fmt: skip
    written, page = write_card(found, parsed.out)
    _print(found)
    print(f"\n{written}: the card\n{page}: the same for a browser")  # noqa: T201


def _print(found: Any) -> None:
    from nenni.cards import words

    told = (
        ("network", found.name),
        ("images", f"{found.data.n} of {found.data.name}, {words.radius_of(found)}"),
        ("no attack", words.with_interval(found.clean)),
        *((attack.name, words.with_interval(attack.worst)) for attack in found.attacks),
        ("all attacks", words.with_interval(found.least)),
        *((f"tries: {tries.tries}", words.with_interval(tries)) for tries in found.persistence),
        ("believed", words.belief(found)[2]),
        ("cost", words.cost(found)),
    )
    width = max(len(name) for name, _ in told)
    for name, value in told:
        print(f"{name:{width}}  {value}")  # noqa: T201
