"""The bytes of a phase with what crosses the memory more than once (`hwmodel.refetch`)."""

from dataclasses import dataclass

from hwmodel.preset import Preset
from hwmodel.rates import Work
from hwmodel.refetch import SUM_BYTES, Passes, Sizes, passes
from hwmodel.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Crossings:
    """How often the operands of a phase cross, and what else moves for it.

    Attributes
    ----------
    passes
        Of its products.
    second
        Bytes of the second operand of a product of activations, which count as inputs; else 0.
    spilled
        Bytes of partial sums that are written and read back, once each.
    """

    passes: Passes
    second: float
    spilled: float

    def applied(self, crossing: Traffic) -> Traffic:
        """Bytes that cross, of operands that would cross once."""
        second = min(self.second, crossing.inputs)
        first = crossing.inputs - second
        return Traffic(
            self.passes.weights * crossing.weights,
            self.passes.inputs * first + self.passes.weights * second,
            crossing.outputs + 2 * self.spilled,
        )


def crossings(preset: Preset, work: Work, moved: Traffic, kept: Traffic) -> Crossings:
    """How often operands cross, of products of at least one multiply-accumulate.

    Parameters
    ----------
    preset
        The platform.
    work
        The products, those of groups and of gathered inputs one after the other.
    moved
        Bytes of the phase, of a batch, if each operand crosses once.
    kept
        Of these, the bytes that stay on the chip.
    """
    product = work.gathered
    if not product.macs:
        return Crossings(Passes(), 0.0, 0.0)
    one_by_one = product.count * work.times
    second = 0.0
    if not moved.weights:
        second = product.n * product.d * product.count * work.run_bits / 8
    sizes = Sizes(
        inputs=(moved.inputs - min(second, moved.inputs)) / one_by_one,
        weights=(moved.weights + second) / product.count,
        sums=SUM_BYTES * product.M * product.n,
    )
    inputs = moved.inputs - kept.inputs
    again = min(second, inputs)
    crossing = Sizes(
        inputs=inputs - again,
        weights=moved.weights - kept.weights + again,
        sums=one_by_one * sizes.sums,
    )
    found = passes(preset, product, sizes, crossing)
    return Crossings(found, second, (found.sums - 1) * one_by_one * sizes.sums)
