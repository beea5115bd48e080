"""Bytes that each phase of a layer moves, for one input, where the buffer holds what it has to.

What it does not hold crosses again: `hwmodel.refetch`. Every phase reads its weights once, reads
its inputs once and writes its outputs once, but for the selection, which reads the scores as often
as its algorithm passes over them; a phase's output is read again by the next. Caches that keep data
between phases are not modelled, nor those that keep weights between inferences: of a pool of
approximations each inference reads one, as it would read the only one. Widths are arguments, since
hardware may store a number wider than it was rounded to.
"""

from dataclasses import dataclass

from hwmodel.bitops import REAL_BITS
from hwmodel.injection_spec import Injection, Value
from hwmodel.layer_spec import Layer
from hwmodel.op_count import input_values, mask, projected_values, score_passes
from hwmodel.product import projection_product

_BITS_PER_BYTE = 8


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes by what they carry."""

    weights: float = 0
    inputs: float = 0
    outputs: float = 0

    @property
    def total(self) -> float:
        """All bytes."""
        return self.weights + self.inputs + self.outputs

    def __add__(self, other: "Traffic") -> "Traffic":
        """Both, by what they carry."""
        return Traffic(
            self.weights + other.weights, self.inputs + other.inputs, self.outputs + other.outputs
        )

    def __sub__(self, other: "Traffic") -> "Traffic":
        """What is left without the other's."""
        return Traffic(
            self.weights - other.weights, self.inputs - other.inputs, self.outputs - other.outputs
        )

    def of_batch(self, batch: int) -> "Traffic":
        """Bytes of so many inputs, which share the weights."""
        return Traffic(self.weights, batch * self.inputs, batch * self.outputs)


def _in_bytes(weights: float, inputs: float, outputs: float) -> Traffic:
    return Traffic(weights / _BITS_PER_BYTE, inputs / _BITS_PER_BYTE, outputs / _BITS_PER_BYTE)


def dense_traffic(layer: Layer, bits: int) -> Traffic:
    """Bytes of the layer without injection: n d weights, all inputs it reads, all outputs.

    The second operand of a product of activations is an input.
    """
    weights, inputs = layer.n * layer.d * bits, input_values(layer) * bits
    if layer.kind == "matmul":
        weights, inputs = 0, inputs + weights
    return _in_bytes(weights, inputs, layer.outputs * bits)


def projection_matrix_bits(layer: Layer, injection: Injection) -> int:
    """Bits that store P: 32 an entry if it is real, else those that its non-zeros take.

    It is read so even where it runs as a dense matrix: zeros are filled in on the chip.
    """
    if injection.projection.nonzero_bits is not None:
        return injection.nonzeros * layer.groups * injection.projection.nonzero_bits
    matrix = projection_product(layer, injection)
    return matrix.n * matrix.d * matrix.count * REAL_BITS


def projection_traffic(
    layer: Layer, injection: Injection, input_bits: int, projected_bits: int
) -> Traffic:
    """Bytes of the projection: P, the layer's inputs as the exact path has them, the result."""
    return _in_bytes(
        projection_matrix_bits(layer, injection),
        input_values(layer) * input_bits,
        projected_values(layer, injection) * projected_bits,
    )


def approximation_traffic(
    layer: Layer,
    injection: Injection,
    weight_bits: int,
    projected_bits: int,
    output_bits: int,
    score_bits: int,
) -> Traffic:
    """Bytes of the approximation: W~, the projected inputs, z~ for every neuron.

    z~ is written as an output where non-essential neurons get it, and as a score, as wide as scores
    are compared, where it is judged.
    """
    given = output_bits if injection.noise.uses == "approximate" else 0
    moved = _in_bytes(
        layer.n * injection.k * weight_bits,
        projected_values(layer, injection) * projected_bits,
        layer.M * layer.n * given,
    )
    return moved + Traffic(outputs=judged_bytes(layer, injection, "approximate", score_bits))


def judged_bytes(layer: Layer, injection: Injection, value: Value, score_bits: int) -> float:
    """Bytes of the scores where such values are judged, else none."""
    judged = injection.selection.judges == value
    return layer.M * layer.n * score_bits / _BITS_PER_BYTE if judged else 0.0


def selection_traffic(layer: Layer, injection: Injection, score_bits: int) -> Traffic:
    """Bytes of the selection: the scores once for each pass over them, and the mask.

    passes M n score_bits / 8 (`hwmodel.op_count.score_passes`), and M n / 8 of the mask, which the
    last pass writes.
    """
    passes = score_passes(injection, score_bits)
    scores = passes * layer.M * layer.n * score_bits
    return _in_bytes(0, scores, mask(layer, injection).mask_bits)


def weight_rows_fraction(
    layer: Layer, injection: Injection, fraction: float, batch: int = 1
) -> float:
    """Share of the weight rows that some position needs, where a tile runs with chance `fraction`.

    Selections are taken as independent between tiles of p positions, 1 - (1 - f)^ceil(M / p), and
    between the inputs of a batch. Whole channels are skipped at all positions of an input at once.
    """
    positions = injection.selection.tile.positions
    if positions is None:
        return fraction if batch == 1 else 1 - (1 - fraction) ** batch
    return 1 - (1 - fraction) ** (batch * -(-layer.M // positions))


def exact_traffic(
    layer: Layer,
    injection: Injection,
    bits: int,
    score_bits: int,
    fraction: float,
    batch: int = 1,
) -> Traffic:
    """Bytes of the essential neurons: weight rows needed, all inputs, the mask, f M n outputs.

    Zeros in place of the other neurons are written too, M n outputs in all. Exact values that get
    noise get it before they are written, and where exact values are judged they are written as
    scores as well.

    Parameters
    ----------
    layer, injection
        The layer.
    bits
        Of weights, inputs and outputs.
    score_bits
        Of the scores.
    fraction
        Share of the neurons that the hardware runs; with 0 nothing moves but zeros.
    batch
        Inputs that decide together which weight rows are read; inputs and outputs are those of one.
    """
    written = 1.0 if injection.noise.uses == "nothing" else fraction
    judged = Traffic(outputs=judged_bytes(layer, injection, "exact", score_bits))
    output_bits = layer.M * layer.n * written * bits
    if fraction == 0:
        return _in_bytes(0, 0, output_bits) + judged
    rows = weight_rows_fraction(layer, injection, fraction, batch)
    moved = _in_bytes(
        rows * layer.n * layer.d * bits,
        input_values(layer) * bits + mask(layer, injection).mask_bits,
        output_bits,
    )
    return moved + judged
