"""Bytes of a product that cross the memory again where the buffer does not hold them.

Half of the buffer holds what is worked on: the other half is filled meanwhile (double buffering, as
in SCALE-Sim), or holds what waits between fused phases (`hwmodel.fusion`). Whatever fits there
crosses once. Otherwise, with c bytes for it, and an operand's bytes I, W, and S of its 4-byte sums:

systolic array
    The folds run in the order of its dataflow (`hwmodel.loops`). An operand is held, or fetched
    again for every turn of the loop that brings it back; sums that are not held are written, and
    read back, for every fold of inputs. Those are held that save most. Positions may be run in p
    chunks, one after the other: what of inputs and sums has to be held is divided by p, and all
    weights come p times. The p of 1, 2, 4, ... with the fewest bytes.
elsewhere
    The best of three orders of a tiled product. Inputs stay: ceil(I / c) x W. Weights stay:
    ceil(W / c) x I. Sums stay, in blocks of b neurons and a positions with
    4 a b + a I / (M d) + b W / (n d) <= c: ceil(n / b) x I and ceil(M / a) x W, b of n, n / 2,
    n / 4, ... They never leave.

More buffer is never more bytes: each way moves no more with a larger c, and the ways are the same.

Source: NENNI cost protocol; the tiled product is Goto and van de Geijn, Anatomy of high-performance
matrix multiplication, ACM TOMS 2008, section 4. SCALE-Sim 3.0.0 moves as many bytes as an array's
order here with one chunk where a whole operand is streamed (tests/hwmodel/test_refetch.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product as pairs
from math import ceil

from hwmodel.loops import ORDERS, needs, systolic
from hwmodel.preset import Preset
from hwmodel.product import Product
from hwmodel.systolic import Dataflow

SUM_BYTES = 4
"""Of a sum that leaves the multipliers, partial or not."""
_WORKED_ON = 0.5


@dataclass(frozen=True, slots=True)
class Passes:
    """How often operands cross the memory.

    Attributes
    ----------
    inputs, weights
        Times each is fetched.
    sums
        Partial sums that an output is written as; all but the last are read back.
    chunks
        Of positions, one after the other.
    """

    inputs: int = 1
    weights: int = 1
    sums: int = 1
    chunks: int = 1


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of the operands of a product."""

    inputs: float
    weights: float
    sums: float

    def moved(self, passes: Passes) -> float:
        """Bytes that cross the memory; of sums, those that are spilled and read back."""
        spilled = 2 * (passes.sums - 1) * self.sums
        return passes.inputs * self.inputs + passes.weights * self.weights + spilled


def worked_on_bytes(preset: Preset) -> float | None:
    """Of the buffer; None where it is not modelled."""
    return None if preset.buffer_bytes is None else _WORKED_ON * preset.buffer_bytes.value


def passes(preset: Preset, product: Product, sizes: Sizes, crossing: Sizes) -> Passes:
    """How often the operands of a product cross the memory of a platform.

    Parameters
    ----------
    preset
        The platform.
    product
        One of the products that run one after the other, of at least one multiply-accumulate.
    sizes
        Its operands, which the buffer holds or not.
    crossing
        Bytes of all these products that cross the memory in a pass: the fewest are sought.
    """
    capacity = worked_on_bytes(preset)
    if capacity is None or sizes.inputs + sizes.weights + sizes.sums <= capacity:
        return Passes()
    if (array := preset.array) is None:
        return _least(product, None, sizes, crossing, capacity)
    side = array.rows.value, array.columns.value, array.dataflow.value
    return _least(product, side, sizes, crossing, capacity)


@lru_cache(maxsize=2**16)
def _least(
    product: Product,
    array: tuple[int, int, Dataflow] | None,
    sizes: Sizes,
    crossing: Sizes,
    capacity: float,
) -> Passes:
    if array is None:
        return min(tiled(product, sizes, capacity), key=crossing.moved)
    return min(chunked(product, *array, sizes, capacity), key=crossing.moved)


def tiled(product: Product, sizes: Sizes, capacity: float) -> Iterator[Passes]:
    """Ways of a platform that may run a product in any order."""
    if capacity > 0:
        yield Passes(weights=max(1, ceil(sizes.inputs / capacity)))
        yield Passes(inputs=max(1, ceil(sizes.weights / capacity)))
    M, n, d = product.M, product.n, product.d
    row, column = sizes.inputs / (M * d), sizes.weights / (n * d)
    block = n
    while True:
        fits = (capacity - block * column) // (SUM_BYTES * block + row)
        if fits >= 1 or block == 1:
            yield Passes(inputs=ceil(n / block), weights=ceil(M / max(1, fits)))
        if block == 1:
            return
        block = ceil(block / 2)


def chunked(
    product: Product, rows: int, columns: int, dataflow: Dataflow, sizes: Sizes, capacity: float
) -> Iterator[Passes]:
    """Ways of a systolic array: what is held, and in how many chunks positions run.

    More chunks than it takes to hold all that comes again would only fetch the weights more often.
    """
    chunks, holds_all = 1, False
    while chunks < 2 * product.M and not holds_all:
        chunks = min(chunks, product.M)
        part = Product(ceil(product.M / chunks), product.n, product.d)
        of_part = Sizes(sizes.inputs / chunks, sizes.weights, sizes.sums / chunks)
        for way in folded(part, rows, columns, dataflow, of_part, capacity):
            holds_all |= way == Passes()
            yield Passes(way.inputs, chunks * way.weights, way.sums, chunks)
        chunks *= 2


def folded(
    product: Product, rows: int, columns: int, dataflow: Dataflow, sizes: Sizes, capacity: float
) -> Iterator[Passes]:
    """Ways of a systolic array that runs all positions at once: what of it is held."""
    need = needs(product, systolic(rows, columns, dataflow), ORDERS[dataflow])
    whole = {"inputs": sizes.inputs, "weights": sizes.weights, "sums": sizes.sums}
    choices = [(True, False) if need[of].times > 1 else (True,) for of in need]
    for kept in pairs(*choices):
        held = dict(zip(need, kept, strict=True))
        taken = sum(need[of].share * whole[of] for of in need if held[of] and need[of].times > 1)
        if taken <= capacity:
            times = {of: 1 if held[of] else need[of].times for of in need}
            yield Passes(times["inputs"], times["weights"], times["sums"])
