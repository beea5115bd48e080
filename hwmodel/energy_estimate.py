"""Energy of one input: arithmetic, the on-chip buffer, the memory that weights come from.

Each phase reads its weights from memory once, and its inputs from the buffer and writes its outputs
there once, at the bits they are rounded to, z~ at those of the exact path. This is the best case
for the method, in which hardware skips single neurons. A weight row is read unless no position
needs it. Source of the table: Horowitz, ISSCC 2014; what it does not have is extrapolated as each
function states.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hwmodel import op_count, traffic
from hwmodel.bitops import REAL_BITS, exact_sum_bits, score_bits, sum_bits
from hwmodel.energy_table import EnergyTable
from hwmodel.injection_spec import Injection
from hwmodel.layer_spec import Layer, Network
from hwmodel.reduction import BASELINES

_WIDEST_INTEGER = 8
"""Numbers of more bits are floating point."""
_ACCUMULATOR = 32


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of a layer or network by where it goes, in pJ for one input."""

    arithmetic_pj: float
    buffer_pj: float
    memory_pj: float

    @property
    def total_pj(self) -> float:
        """All of it."""
        return self.arithmetic_pj + self.buffer_pj + self.memory_pj

    def __add__(self, other: "Energy") -> "Energy":
        """Sum, part by part."""
        return Energy(
            self.arithmetic_pj + other.arithmetic_pj,
            self.buffer_pj + other.buffer_pj,
            self.memory_pj + other.memory_pj,
        )


@dataclass(frozen=True, slots=True)
class EnergyRow:
    """A layer, or the whole network, dense and injected, its exact path at the same bits.

    Attributes
    ----------
    layer
        Name, or ``total``.
    bits
        Of weights and activations on the exact path.
    evaluated
        Whether the accuracy of the injected network was evaluated at these bits.
    dense, injected
        What each takes; the same for a layer without injection.
    """

    layer: str
    bits: int
    evaluated: bool
    dense: Energy
    injected: Energy

    @property
    def reduction(self) -> float:
        """Share of the dense energy that is saved; negative for a loss."""
        return 1 - self.injected.total_pj / self.dense.total_pj


def add_pj(table: EnergyTable, bits: int) -> float:
    """An integer addition: linear in the bits between the two of the table, through 0 below."""
    narrow, wide = table.integer_add_8_pj.value, table.integer_add_32_pj.value
    if bits <= _WIDEST_INTEGER:
        return narrow * bits / _WIDEST_INTEGER
    return narrow + (wide - narrow) * (bits - _WIDEST_INTEGER) / (_ACCUMULATOR - _WIDEST_INTEGER)


def float_add_pj(table: EnergyTable, bits: int) -> float:
    """A floating-point addition of up to 16, or up to 32 bits."""
    return (table.float_add_16_pj if bits <= 16 else table.float_add_32_pj).value


def _float_multiply_pj(table: EnergyTable, bits: int) -> float:
    return (table.float_multiply_16_pj if bits <= 16 else table.float_multiply_32_pj).value


def mac_pj(table: EnergyTable, weight_bits: int, activation_bits: int) -> float:
    """A multiply-accumulate.

    Up to 8 bits an integer multiplication, in proportion to the product of the bits, and a 32-bit
    addition. Above, floating point at the wider operand's 16 or 32 bits.
    """
    wider = max(weight_bits, activation_bits)
    if wider > _WIDEST_INTEGER:
        return _float_multiply_pj(table, wider) + float_add_pj(table, wider)
    return integer_mac_pj(table, weight_bits, activation_bits)


def integer_mac_pj(table: EnergyTable, weight_bits: int, activation_bits: int) -> float:
    """A multiplication in proportion to the product of the bits, and a 32-bit addition."""
    share = weight_bits * activation_bits / _WIDEST_INTEGER**2
    return share * table.integer_multiply_8_pj.value + add_pj(table, _ACCUMULATOR)


def projection_pj(layer: Layer, injection: Injection, table: EnergyTable) -> float:
    """Additions at the width of the sums, or multiply-accumulates if P is real."""
    count = op_count.projection(layer, injection)
    if injection.projection.real:
        return count.macs * mac_pj(table, REAL_BITS, injection.input_bits)
    if injection.input_bits > _WIDEST_INTEGER:
        return count.additions * float_add_pj(table, injection.input_bits)
    return count.additions * add_pj(table, sum_bits(injection))


def arithmetic_pj(layer: Layer, injection: Injection, bits: int, table: EnergyTable) -> float:
    """All operations of an injected layer.

    A comparison and a rounding cost an integer addition of the bits they compare or yield, a
    normalised score an integer multiplication of its width.
    """
    approximation = op_count.approximation(layer, injection).macs
    score = score_bits(layer, injection, bits)
    chosen = op_count.selection(layer, injection, score)
    inputs = op_count.input_roundings(layer, injection, bits)
    projected = op_count.projected_roundings(layer, injection, sum_bits(injection))
    added = op_count.noise(layer, injection).additions
    is_float = bits > _WIDEST_INTEGER
    sum_pj = float_add_pj(table, bits) if is_float else add_pj(table, exact_sum_bits(layer, bits))
    return (
        op_count.exact_part(layer, injection).macs * mac_pj(table, bits, bits)
        + approximation * mac_pj(table, injection.weight_bits, injection.projected_bits)
        + projection_pj(layer, injection, table)
        + inputs * add_pj(table, injection.input_bits)
        + projected * add_pj(table, injection.projected_bits)
        + (chosen.comparisons + chosen.additions) * add_pj(table, score)
        + chosen.macs * integer_mac_pj(table, score, score)
        + added * sum_pj
    )


def dense_energy(layer: Layer, bits: int, table: EnergyTable) -> Energy:
    """The whole layer, computed exactly at `bits` x `bits`."""
    macs = op_count.dense_macs(layer) * mac_pj(table, bits, bits)
    return _energy(macs, [traffic.dense_traffic(layer, bits)], table)


def injected_energy(layer: Layer, bits: int, table: EnergyTable) -> Energy:
    """The layer with its injection, the exact path at `bits`; as dense without one."""
    injection = layer.injection
    if injection is None:
        return dense_energy(layer, bits, table)
    moved = [traffic.selection_traffic(layer, injection, bits)]
    if op_count.needs_approximation(injection):
        projected = injection.projected_bits
        moved += [
            traffic.projection_traffic(layer, injection, bits, projected),
            traffic.approximation_traffic(layer, injection, injection.weight_bits, projected, bits),
        ]
    share = op_count.exact_fraction(injection)
    moved += [traffic.exact_traffic(layer, injection, bits, share)]
    return _energy(arithmetic_pj(layer, injection, bits, table), moved, table)


def _energy(arithmetic: float, moved: Sequence[traffic.Traffic], table: EnergyTable) -> Energy:
    activations = sum(part.inputs + part.outputs for part in moved)
    return Energy(
        arithmetic,
        activations * table.buffer_pj_per_byte.value,
        sum(part.weights for part in moved) * table.memory_pj_per_byte.value,
    )


def energy(network: Network, table: EnergyTable) -> list[EnergyRow]:
    """Energy of every layer and of the whole network, dense and injected, at each baseline's bits.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.
    table
        As read by `hwmodel.load_energy_table`.

    Returns
    -------
    list of EnergyRow
        In the order of the layers, the three rows of ``total`` last.
    """
    rows = [
        EnergyRow(
            layer=layer.name,
            bits=bits,
            evaluated=layer.exact_bits == bits and not network.assumed,
            dense=dense_energy(layer, bits, table),
            injected=injected_energy(layer, bits, table),
        )
        for layer in network.layers
        for bits in BASELINES.values()
    ]
    return rows + [_total(rows, bits) for bits in BASELINES.values()]


def _total(rows: Sequence[EnergyRow], bits: int) -> EnergyRow:
    chosen = [row for row in rows if row.bits == bits]
    nothing = Energy(0.0, 0.0, 0.0)
    return EnergyRow(
        layer="total",
        bits=bits,
        evaluated=all(row.evaluated for row in chosen),
        dense=sum((row.dense for row in chosen), nothing),
        injected=sum((row.injected for row in chosen), nothing),
    )
