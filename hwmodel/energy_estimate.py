"""Energy of a batch: arithmetic, the on-chip buffer, the memory.

Read off the phases whose times `hwmodel.roofline` gives: whole tiles run, at the widths at which
the platform multiplies and stores, and a matrix whose zeros it cannot skip is multiplied in full.
Source of the table: Horowitz, ISSCC 2014; what it does not have is extrapolated as each function
states.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hwmodel.alike import Grouped, alike
from hwmodel.energy_table import EnergyTable
from hwmodel.layer_spec import Layer
from hwmodel.level_accesses import level_accesses, level_pj
from hwmodel.network_spec import Network
from hwmodel.phase import Elementwise, Phase
from hwmodel.preset import Preset
from hwmodel.rates import UnsupportedPrecisionError, array_bytes
from hwmodel.roofline import injected_phases
from hwmodel.variants import at_bits
from hwmodel.whole_layer import dense_phase

_WIDEST_INTEGER = 8
"""Numbers of more bits are floating point."""
_ACCUMULATOR = 32


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of a layer or network by where it goes, in pJ for one batch."""

    arithmetic_pj: float
    buffer_pj: float
    memory_pj: float

    @property
    def total_pj(self) -> float:
        """All of it."""
        return self.arithmetic_pj + self.buffer_pj + self.memory_pj

    def times(self, count: int) -> "Energy":
        """So many of it."""
        parts = (self.arithmetic_pj, self.buffer_pj, self.memory_pj)
        return Energy(*(count * part for part in parts))

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
        What each takes on the platform; the same for a layer without injection.
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
    addition; where the table has the two as one, that in proportion to the product of the bits.
    Above, floating point at the wider operand's 16 or 32 bits.
    """
    wider = max(weight_bits, activation_bits)
    if table.integer_mac_8_pj is not None and wider <= _WIDEST_INTEGER:
        return table.integer_mac_8_pj.value * weight_bits * activation_bits / _WIDEST_INTEGER**2
    if wider > _WIDEST_INTEGER:
        return _float_multiply_pj(table, wider) + float_add_pj(table, wider)
    return integer_mac_pj(table, weight_bits, activation_bits)


def integer_mac_pj(table: EnergyTable, weight_bits: int, activation_bits: int) -> float:
    """A multiplication in proportion to the product of the bits, and a 32-bit addition."""
    share = weight_bits * activation_bits / _WIDEST_INTEGER**2
    return share * table.integer_multiply_8_pj.value + add_pj(table, _ACCUMULATOR)


def elementwise_pj(table: EnergyTable, other: Elementwise) -> float:
    """One of the operations outside the multipliers."""
    match other.kind:
        case "add":
            return add_pj(table, other.bits)
        case "float_add":
            return float_add_pj(table, other.bits)
        case "multiply_add":
            return integer_mac_pj(table, other.bits, other.bits)
        case "float_multiply_add":
            return _float_multiply_pj(table, other.bits) + float_add_pj(table, other.bits)


def arithmetic_pj(phase: Phase, table: EnergyTable) -> float:
    """Multiply-accumulates that run, at the width at which they do, all others, selectors.

    Spare lanes of a last tile are idle. A comparison and a rounding cost an integer addition of the
    bits they compare or yield, a normalised score an integer multiplication of its width.
    """
    others = sum(other.count * elementwise_pj(table, other) for other in phase.elementwise)
    products = 0.0
    if (work := phase.work) is not None:
        products = work.macs * mac_pj(table, work.run_bits, work.run_bits)
    return products + phase.batch * others + _selector_pj(phase, table)


def _selector_pj(phase: Phase, table: EnergyTable) -> float:
    """What picks the operands of essential neurons: multiplexers, and the search of the mask."""
    gather, search = table.gather_pj_per_byte, table.mask_pj_per_bit
    return phase.gathered * (0.0 if gather is None else gather.value) + phase.mask_bits * (
        0.0 if search is None else search.value
    )


def phase_energy(phase: Phase, preset: Preset, table: EnergyTable) -> Energy:
    """Energy of one phase.

    Bytes between memory and the chip, of weights and activations alike, take the memory's energy,
    and the buffer's since they pass it, as do those that fused phases keep there. What a systolic
    array takes from its buffers and gives to them takes the buffer's besides; other platforms are
    taken to keep what they multiply in registers. Where the table has levels, each takes its
    accesses (`hwmodel.level_accesses`).
    """
    crossing = phase.moved.total
    memory_pj = _memory_pj(phase, table)
    if table.levels is not None:
        on_chip = level_pj(level_accesses(phase, preset, table), table.levels)
        return Energy(arithmetic_pj(phase, table), on_chip, memory_pj)
    array = None if phase.work is None else array_bytes(preset, phase.work)
    buffered = crossing + phase.kept.total + (0.0 if array is None else array.total)
    return Energy(
        arithmetic_pj(phase, table),
        buffered * table.buffer_pj_per_byte.value,
        memory_pj,
    )


def _memory_pj(phase: Phase, table: EnergyTable) -> float:
    """Bytes read, and bytes written: outputs, and partial sums that are read back later."""
    read = table.memory_pj_per_byte
    write = table.memory_write_pj_per_byte or read
    written = phase.moved.outputs - phase.spilled
    return (phase.moved.total - written) * read.value + written * write.value


def dense_energy(
    layer: Layer, bits: int, table: EnergyTable, preset: Preset, batch: int = 1
) -> Energy:
    """The whole layer, computed exactly at `bits` or the next supported width above.

    Raises
    ------
    UnsupportedPrecisionError
        If the platform multiplies nothing as wide.
    """
    return phase_energy(dense_phase(layer, preset, bits, batch), preset, table)


def injected_energy(
    layer: Layer, table: EnergyTable, preset: Preset, batch: int = 1
) -> Energy | None:
    """The layer with its injection, at its own bits; as dense without one.

    None if the platform lacks a precision.
    """
    phases = injected_phases(layer, preset, batch)
    if phases is None:
        return None
    return added(phase_energy(phase, preset, table) for phase in phases)


def added(parts: Iterable[Energy]) -> Energy:
    """Their sum."""
    return sum(parts, Energy(0.0, 0.0, 0.0))


def energy(network: Network, table: EnergyTable, preset: Preset, batch: int = 1) -> list[EnergyRow]:
    """Energy of every layer and of the whole network, dense and injected, at each baseline's bits.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.
    table
        As read by `hwmodel.load_energy_table`.
    preset
        The platform, whose tiles, widths and array the energy is of. Bits at which it cannot run
        some layer are left out for that layer and in total.
    batch
        Inputs at once.

    Returns
    -------
    list of EnergyRow
        In the order of the layers, the rows of ``total`` last.
    """
    rows = alike(
        network.layers,
        lambda layer: _of_layer(layer, network.assumed, table, preset, batch),
        lambda row, name: replace(row, layer=name),
    )
    return rows + _totals([(row, 1) for row in rows], preset, len(network.layers))


def total_energy(
    network: Grouped, table: EnergyTable, preset: Preset, batch: int = 1
) -> list[EnergyRow]:
    """Energy of the whole network alone, as the last rows of `energy`."""
    rows = [
        (row, count)
        for layer, count in network.parts
        for row in _of_layer(layer, network.assumed, table, preset, batch)
    ]
    return _totals(rows, preset, network.layers)


def _of_layer(
    layer: Layer, assumed: bool, table: EnergyTable, preset: Preset, batch: int
) -> Sequence[EnergyRow]:
    evaluated_bits = None if assumed else layer.exact_bits
    rows = [
        _row(at_bits(layer, bits), evaluated_bits, table, preset, batch)
        for bits in preset.compared_bits
    ]
    return [row for row in rows if row is not None]


def _row(
    layer: Layer, evaluated_bits: int | None, table: EnergyTable, preset: Preset, batch: int
) -> EnergyRow | None:
    bits = layer.exact_bits
    try:
        dense = dense_energy(layer, bits, table, preset, batch)
    except UnsupportedPrecisionError:
        return None
    injected = injected_energy(layer, table, preset, batch)
    if injected is None:
        return None
    return EnergyRow(layer.name, bits, bits == evaluated_bits, dense, injected)


def _totals(rows: Sequence[tuple[EnergyRow, int]], preset: Preset, layers: int) -> list[EnergyRow]:
    """Sums over rows that count so many times, at the bits at which all layers run."""
    by_bits = {bits: [(r, n) for r, n in rows if r.bits == bits] for bits in preset.compared_bits}
    return [
        EnergyRow(
            layer="total",
            bits=bits,
            evaluated=all(row.evaluated for row, _ in chosen),
            dense=added(row.dense.times(n) for row, n in chosen),
            injected=added(row.injected.times(n) for row, n in chosen),
        )
        for bits, chosen in by_bits.items()
        if sum(n for _, n in chosen) == layers
    ]
