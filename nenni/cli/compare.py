"""``nenni compare``: two networks by their cards."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nenni.cli import arguments

if TYPE_CHECKING:
    from nenni.cards.compare import Comparison

TEACHES = """example:
  nenni compare plain.json noisy.json --out comparison.html

Both cards have to be of the same images (--data, --size and --examples of nenni card). Compared are
the attacks that both networks received with the same parameters and radius, image by image."""


def add(commands: Any) -> None:
    """Add the command's arguments."""
    does = "compare two networks by their cards, attack by attack on the same images"
    parser = arguments.command(commands, "compare", does, TEACHES)
    parser.add_argument("first", type=Path, metavar="FIRST.json", help="a card of nenni card")
    parser.add_argument("second", type=Path, metavar="SECOND.json", help="another")
    parser.add_argument(
        "--out", type=Path, default=Path("comparison.html"), metavar="HTML",
        help="the page with the picture (default: %(default)s)",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Run the command."""
    from nenni.cards.compare import compare
    from nenni.cards.comparison_page import comparison_page
    from nenni.core.io import write_text

    found = compare(parsed.first, parsed.second)
    write_text(parsed.out, comparison_page(found))
    _print(found)
    print(f"\n{parsed.out}: the same with a picture, for a browser")  # noqa: T201


def _print(found: "Comparison") -> None:
    from nenni.cards.compare import doubts

    table = found.rows.copy()
    for column in ("first", "second"):
        table[column] = [f"{value:.1%}" for value in table[column]]
    for column in ("difference", "low", "high"):
        table[column] = [f"{100 * value:+.1f}" for value in table[column]]
    for column in ("p", "p_holm"):
        table[column] = [f"{value:.2g}" for value in table[column]]
    shown = ["attack", "n", "first", "second", "difference", "low", "high", "only_first",
             "only_second", "p", "p_holm"]  # fmt: skip
    first, second = found.names
    print(f"first is {first}, second is {second}; difference in points\n")  # noqa: T201
    print(table[shown].to_string(index=False))  # noqa: T201
    for attack, why in found.left_out.items():
        print(f"left out: {attack}, {why}")  # noqa: T201
    print(f"\n{found.verdict}")  # noqa: T201
    for name, card in zip(found.names, (found.first, found.second), strict=True):
        print(f"{name} under all that it received itself: {card.least.accuracy:.1%}")  # noqa: T201
    for doubt in doubts(found):
        print(f"doubt: {doubt}")  # noqa: T201
