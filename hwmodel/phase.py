"""One phase of a layer as a platform runs it: what is multiplied, what else is done, what moves.

Time, bytes and energy are all read off it, so that they have the same tiles, widths and batch.
"""

from dataclasses import dataclass, field
from typing import Literal

from hwmodel.rates import Work
from hwmodel.traffic import Traffic

Kind = Literal["add", "float_add", "multiply_add", "float_multiply_add"]


@dataclass(frozen=True, slots=True)
class Elementwise:
    """Operations outside the multipliers, for one input.

    Attributes
    ----------
    count
        How many.
    kind
        ``add`` (comparisons and roundings are taken for additions of integers), ``float_add``,
        ``multiply_add`` of integers, or ``float_multiply_add``.
    bits
        Of the operands.
    streams
        Whether they run on consecutive numbers.
    """

    count: float
    kind: Kind
    bits: int
    streams: bool


@dataclass(frozen=True, slots=True)
class Phase:
    """Time of one phase, in seconds, and what it was made from, of one batch.

    Attributes
    ----------
    product_s
        Of its operations on the multipliers.
    other_s
        Of those outside them.
    memory_s
        Of its bytes.
    overhead_s
        Of starting it.
    moved
        The bytes between memory and the chip.
    kept
        The bytes that it takes from another phase of the layer, or hands to one, on the chip.
    gathered
        The bytes of operands that are picked by a mask, one by one or in tiles.
    mask_bits
        Bits of a mask that are searched for the neurons to compute.
    spilled
        The bytes of partial sums that are written to memory and read back, once each; `moved` has
        both.
    work
        Its matrix products; None if it has none, as where P costs its non-zeros only.
    elementwise
        Its other operations, for one input.
    batch
        Inputs at once.
    """

    product_s: float
    other_s: float
    memory_s: float
    overhead_s: float
    moved: Traffic = field(default=Traffic(), compare=False)
    kept: Traffic = field(default=Traffic(), compare=False)
    work: Work | None = field(default=None, compare=False)
    elementwise: tuple[Elementwise, ...] = field(default=(), compare=False)
    batch: int = field(default=1, compare=False)
    gathered: float = field(default=0.0, compare=False)
    mask_bits: float = field(default=0.0, compare=False)
    spilled: float = field(default=0.0, compare=False)

    @property
    def compute_s(self) -> float:
        """Of all its operations, one kind after the other."""
        return self.product_s + self.other_s

    @property
    def busy_s(self) -> float:
        """max(compute, memory)."""
        return max(self.compute_s, self.memory_s)

    @property
    def seconds(self) -> float:
        """max(compute, memory) + overhead; a phase with nothing to do is never started."""
        return self.busy_s + self.overhead_s if self.busy_s else 0.0

    @property
    def bound(self) -> str:
        """What limits it, ``compute`` or ``memory``; empty if it has nothing to do."""
        if not self.busy_s:
            return ""
        return "compute" if self.compute_s >= self.memory_s else "memory"


NOTHING = Phase(0.0, 0.0, 0.0, 0.0)


def cheaper(phase: Phase) -> tuple[float, float]:
    """What the best of several ways to run a phase has the least of: seconds, then bytes."""
    return phase.seconds, phase.moved.total
