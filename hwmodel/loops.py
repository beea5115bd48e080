"""How often an operand enters a memory that does not hold it, by the order of the loops.

A product (M x d) (d x n) runs tile by tile: so many positions, neurons and inputs are computed at
once (`Unrolled`), and three loops, over tiles of positions, of neurons and of inputs, run around
that. Each operand knows two of the loops: inputs those of positions and inputs, weights those of
neurons and inputs, sums those of positions and neurons. The third brings the same numbers again.
What lies inside that loop has to be held if they are not to be fetched again for each of its turns;
if nothing of the operand lies inside, it stays where it is.

Source: the standard analysis of loop nests (Parashar et al., Timeloop, ISPASS 2019, section V; Mei
et al., ZigZag, IEEE Trans. Computers 2021, section 3), for three loops and a tile of one size.
"""

from dataclasses import dataclass
from typing import Literal

from hwmodel.product import Product
from hwmodel.systolic import Dataflow

Operand = Literal["inputs", "weights", "sums"]
Loop = Literal["positions", "neurons", "depth"]
Order = tuple[Loop, Loop, Loop]
"""Outermost loop first."""

ORDERS: dict[Dataflow, Order] = {
    "output_stationary": ("neurons", "positions", "depth"),
    "weight_stationary": ("neurons", "depth", "positions"),
    "input_stationary": ("positions", "depth", "neurons"),
}
"""In which a systolic array runs its folds, as SCALE-Sim 3.0.0 does."""
AGAIN: dict[Operand, Loop] = {"inputs": "neurons", "weights": "positions", "sums": "depth"}
"""The loop that brings the same numbers of an operand again."""


@dataclass(frozen=True, slots=True)
class Unrolled:
    """What is computed at once.

    Attributes
    ----------
    positions, neurons, depth
        Of a product.
    """

    positions: int
    neurons: int
    depth: int

    def turns(self, product: Product) -> dict[Loop, int]:
        """Of each loop; the taps of a kernel follow each other where `depth` are channels."""
        each = -(-product.d // product.taps)
        return {
            "positions": -(-product.M // self.positions),
            "neurons": -(-product.n // self.neurons),
            "depth": product.taps * -(-each // self.depth),
        }

    def parts(self, product: Product) -> dict[Loop, float]:
        """Of the positions, neurons and inputs, the share that is computed at once."""
        return {
            "positions": min(1.0, self.positions / product.M),
            "neurons": min(1.0, self.neurons / product.n),
            "depth": min(1.0, self.depth / product.d),
        }


def systolic(rows: int, columns: int, dataflow: Dataflow) -> Unrolled:
    """What an array of so many rows and columns computes at once."""
    match dataflow:
        case "output_stationary":
            return Unrolled(positions=rows, neurons=columns, depth=1)
        case "weight_stationary":
            return Unrolled(positions=1, neurons=columns, depth=rows)
        case "input_stationary":
            return Unrolled(positions=columns, neurons=1, depth=rows)


@dataclass(frozen=True, slots=True)
class Need:
    """What it takes to fetch an operand once.

    Attributes
    ----------
    share
        Of the operand's numbers that have to be held.
    times
        As often it is fetched if they are not.
    """

    share: float
    times: int


def needs(product: Product, unrolled: Unrolled, order: Order) -> dict[Operand, Need]:
    """What each operand of a product needs.

    Parameters
    ----------
    product
        Of at least one multiply-accumulate.
    unrolled
        What is computed at once.
    order
        Of the loops.

    Returns
    -------
    dict
        For sums, `Need.times` is how many partial sums an output is made of.
    """
    turns, parts = unrolled.turns(product), unrolled.parts(product)
    found = {}
    for operand, again in AGAIN.items():
        inside = order[order.index(again) + 1 :]
        outside = [loop for loop in order if loop != again and loop not in inside]
        share = 1.0
        for loop in outside:
            share *= parts[loop]
        found[operand] = Need(share, turns[again]) if inside else Need(0.0, 1)
    return found
