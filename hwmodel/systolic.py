"""Cycles and buffer reads of matrix products on a systolic array.

An array of R rows and C columns multiplies (M x d) by (d x n) in folds, one after the other. Output
stationary: each element keeps one of R x C outputs, rows are positions and columns are neurons.
Weight stationary: each element keeps one of R x C weights, rows are inputs and columns are neurons,
and M positions stream through. Input stationary: each keeps one of R x C inputs, rows are inputs
and columns are positions, and n neurons stream through. A fold that fills the array in part takes
as long as a full one. Stalls for memory are not in the cycles: the roofline bounds them by the
bytes moved.

Source: NENNI cost protocol; equal to ``compute_cycles`` of SCALE-Sim 3.0.0 (Samajdar et al., ISPASS
2020) in GEMM mode on all products that were compared (tests/hwmodel/data).
"""

from dataclasses import dataclass, replace
from typing import Literal

from hwmodel.product import Product

Dataflow = Literal["output_stationary", "weight_stationary", "input_stationary"]


@dataclass(frozen=True, slots=True)
class Reads:
    """Numbers that the array takes from its buffers, and gives to them.

    Attributes
    ----------
    inputs, weights
        Operands read.
    outputs
        Sums written, partial ones too.
    """

    inputs: int
    weights: int
    outputs: int


def cycles(product: Product, rows: int, columns: int, dataflow: Dataflow) -> int:
    """Cycles of a product; 0 if it is empty.

    Output stationary ceil(M/R) ceil(n/C) (d + R + C - 2) - 1: d products reach the last element
    after R - 1 + C - 1 steps. Weight stationary ceil(d/R) ceil(n/C) (M + 2 R + C - 2) - 1: R steps
    to load the weights come first. Input stationary ceil(d/R) ceil(M/C) (n + 2 R + C - 2) - 1.
    """
    M, n, d = product.M, product.n, product.d
    if not product.macs:
        return 0
    if dataflow == "output_stationary":
        folds, each = _folds(M, rows) * _folds(n, columns), d + rows + columns - 2
    elif dataflow == "weight_stationary":
        folds, each = _folds(d, rows) * _folds(n, columns), M + 2 * rows + columns - 2
    else:
        folds, each = _folds(d, rows) * _folds(M, columns), n + 2 * rows + columns - 2
    return product.count * (folds * each - 1)


def reads(product: Product, rows: int, columns: int, dataflow: Dataflow) -> Reads:
    """Numbers that pass between the array and its buffers.

    What stays in place is read once. What streams is read once for every fold along the side that
    it does not share: inputs for every fold of neurons, weights for every fold of positions. Sums
    are written once where they stay, else as partial ones for every fold of inputs.
    """
    M, n, d = product.M, product.n, product.d
    if not product.macs:
        return Reads(0, 0, 0)
    inputs, weights, outputs = M * d, n * d, M * n
    if dataflow == "output_stationary":
        inputs, weights = inputs * _folds(n, columns), weights * _folds(M, rows)
    elif dataflow == "weight_stationary":
        inputs, outputs = inputs * _folds(n, columns), outputs * _folds(d, rows)
    else:
        weights, outputs = weights * _folds(M, columns), outputs * _folds(d, rows)
    return Reads(inputs * product.count, weights * product.count, outputs * product.count)


def restarts(product: Product, rows: int, columns: int, dataflow: Dataflow, chunks: int) -> int:
    """Cycles that it takes beside `cycles` if positions run in chunks, one after the other.

    Weight stationary each fold loads its weights and drains for every chunk, 2 R + C - 2 cycles.
    Elsewhere positions lie along a side of the array, and chunks of whole folds cost nothing.
    """
    if dataflow != "weight_stationary" or not product.macs:
        return 0
    folds = _folds(product.d, rows) * _folds(product.n, columns)
    return product.count * (chunks - 1) * folds * (2 * rows + columns - 2)


def packed(product: Product, rows: int, columns: int, dataflow: Dataflow) -> Product:
    """The groups of a convolution side by side on the array, where that takes fewer cycles.

    g groups are one product (M x gd) (gd x gn) whose weights are zero outside the blocks of its
    diagonal, as depthwise convolutions are laid on arrays that multiply matrices; as many as fill
    a side that groups do not share, C / n of columns output stationary, R / d of rows input
    stationary, the fewer of the two weight stationary. A depthwise 3 x 3 layer has d = 9 and n = 1,
    and R / 9 of its groups share a fold. Zeros are made in the array: they are neither read nor
    multiplied.
    """
    if product.count == 1 or not product.macs:
        return product
    fit = {
        "output_stationary": columns // product.n,
        "weight_stationary": min(rows // product.d, columns // product.n),
        "input_stationary": rows // product.d,
    }[dataflow]
    packed = _side_by_side(product, max(1, min(fit, product.count)))
    return min(product, packed, key=lambda way: cycles(way, rows, columns, dataflow))


def _side_by_side(product: Product, groups: int) -> Product:
    count = _folds(product.count, groups)
    return replace(product, n=groups * product.n, d=groups * product.d, count=count)


def _folds(size: int, along: int) -> int:
    return -(-size // along)
