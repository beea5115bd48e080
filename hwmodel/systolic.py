"""Cycles and buffer reads of matrix products on a systolic array.

An array of R rows and C columns multiplies (M x d) by (d x n) in folds, one after the other. Output
stationary: each element keeps one of R x C outputs, rows are positions and columns are neurons.
Weight stationary: each element keeps one of R x C weights, rows are inputs and columns are neurons,
and M positions stream through. A fold that fills the array in part takes as long as a full one.
Stalls for memory are not in the cycles: the roofline bounds them by the bytes moved.

Source: NENNI cost protocol; equal to ``compute_cycles`` of SCALE-Sim 3.0.0 (Samajdar et al., ISPASS
2020) in GEMM mode on the 60 products of ResNet-18's layers that were compared.
"""

from dataclasses import dataclass
from typing import Literal

from hwmodel.product import Product

Dataflow = Literal["output_stationary", "weight_stationary"]


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
    to load the weights come first.
    """
    M, n, d = product.M, product.n, product.d
    if not product.macs:
        return 0
    if dataflow == "output_stationary":
        folds, each = _folds(M, rows) * _folds(n, columns), d + rows + columns - 2
    else:
        folds, each = _folds(d, rows) * _folds(n, columns), M + 2 * rows + columns - 2
    return product.count * (folds * each - 1)


def reads(product: Product, rows: int, columns: int, dataflow: Dataflow) -> Reads:
    """Numbers that pass between the array and its buffers.

    Inputs are read once for every fold of neurons. Output stationary reads weights once for every
    fold of positions, and writes each output once; weight stationary reads each weight once, and
    writes a partial sum for every fold of inputs.
    """
    M, n, d = product.M, product.n, product.d
    if not product.macs:
        return Reads(0, 0, 0)
    inputs = M * d * _folds(n, columns)
    if dataflow == "output_stationary":
        weights, outputs = n * d * _folds(M, rows), M * n
    else:
        weights, outputs = n * d, M * n * _folds(d, rows)
    return Reads(inputs * product.count, weights * product.count, outputs * product.count)


def _folds(size: int, along: int) -> int:
    return -(-size // along)
