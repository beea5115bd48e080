"""One phase of a layer as a platform runs it: what is multiplied, what else is done, what moves.

Time, bytes and energy are all read off it, so that they have the same tiles, widths and batch.
"""

from dataclasses import dataclass, field
from typing import Literal

from hwmodel.rates import Work
from hwmodel.traffic import Traffic

Kind = Literal["add", "float_add", "multiply_add"]


@dataclass(frozen=True, slots=True)
class Elementwise:
    """Operations outside the multipliers, for one input.

    Attributes
    ----------
    count
        How many.
    kind
        ``add`` (comparisons and roundings are taken for additions of integers), ``float_add``, or
        ``multiply_add`` of integers.
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
    compute_s
        Of its operations.
    memory_s
        Of its bytes.
    overhead_s
        Of starting it.
    moved
        The bytes between memory and the chip.
    work
        Its matrix products; None if it has none, as where P costs its non-zeros only.
    elementwise
        Its other operations, for one input.
    batch
        Inputs at once.
    """

    compute_s: float
    memory_s: float
    overhead_s: float
    moved: Traffic = field(default=Traffic(), compare=False)
    work: Work | None = field(default=None, compare=False)
    elementwise: tuple[Elementwise, ...] = field(default=(), compare=False)
    batch: int = field(default=1, compare=False)

    @property
    def seconds(self) -> float:
        """max(compute, memory) + overhead; a phase with nothing to do is never started."""
        busy = max(self.compute_s, self.memory_s)
        return busy + self.overhead_s if busy else 0.0

    @property
    def bound(self) -> str:
        """What limits it, ``compute`` or ``memory``; empty if it has nothing to do."""
        if not max(self.compute_s, self.memory_s):
            return ""
        return "compute" if self.compute_s >= self.memory_s else "memory"


NOTHING = Phase(0.0, 0.0, 0.0)
