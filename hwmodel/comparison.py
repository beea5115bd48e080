"""The method, or another defence, beside dense INT8 and the alternatives, with ranges.

Speed-up and energy saved are against the network dense at `REFERENCE_BITS`, on the same platform
with the same constants, each with its range (`hwmodel.ranges`) over those that may be others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hwmodel import alternatives
from hwmodel.alike import Grouped, grouped
from hwmodel.assumptions import Assumption, Value, assuming, assumptions
from hwmodel.described import (
    AS_DESCRIBED,
    AT_INT8,
    REFERENCE_BITS,
    areas,
    at_reference,
    check_beside,
    described,
    own_names,
)
from hwmodel.energy_estimate import phase_energy
from hwmodel.energy_table import EnergyTable
from hwmodel.errors import UserError
from hwmodel.layer_spec import Layer
from hwmodel.network_spec import Network
from hwmodel.phase import Phase
from hwmodel.preset import Preset
from hwmodel.ranges import Flip, Interval, flips, interval
from hwmodel.roofline import injected_phases
from hwmodel.schedule import layer_seconds
from hwmodel.whole_layer import dense_phase


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds and picojoules of one batch."""

    seconds: float
    pj: float


@dataclass(frozen=True, slots=True)
class Row:
    """One way to run the network.

    Attributes
    ----------
    name
        `AS_DESCRIBED`, `AT_INT8`, another defence's or network's own, alone or followed by ``at
        INT8``, or one of `hwmodel.alternatives.NAMES`.
    cost
        None where the platform cannot run it, or what it needs was not measured.
    speedup, saved
        Over the reference: times as fast, and share of the energy; None as above.
    area
        Over that of the reference, of what each would be built of (`hwmodel.area`); None where an
        area is not known.
    faster, thriftier
        Flips of the two, the largest first.
    lacks
        Why there is no cost; else empty.
    """

    name: str
    cost: Cost | None = None
    speedup: Interval | None = None
    saved: Interval | None = None
    area: float | None = None
    faster: tuple[Flip, ...] = ()
    thriftier: tuple[Flip, ...] = ()
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class Deciding:
    """A layer, or layers of one shape, and what the method gains there.

    Attributes
    ----------
    layer
        Name of the first.
    count
        How many have the shape.
    seconds, pj
        That the method takes less than dense, over all of them; negative for more.
    """

    layer: str
    count: int
    seconds: float
    pj: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """All ways to run a network on one platform.

    Attributes
    ----------
    reference
        The network dense at `REFERENCE_BITS`.
    rows
        The method, or another defence, first.
    deciding
        Layers with an injection, those with the largest change of time first.
    assumptions
        Constants of the ranges.
    run_bits
        Width at which the platform runs the reference, that or the next above.
    own
        Names of the rows of the network itself, as it is described and at the bits of the
        reference.
    """

    reference: Cost
    rows: tuple[Row, ...]
    deciding: tuple[Deciding, ...]
    assumptions: tuple[Assumption, ...]
    run_bits: int = REFERENCE_BITS
    own: tuple[str, ...] = (AS_DESCRIBED, AT_INT8)


_Phases = Callable[[Layer, Preset], Sequence[Phase] | str]


def compare(
    network: Network,
    preset: Preset,
    table: EnergyTable,
    batch: int = 1,
    beside: Mapping[str, Network] | None = None,
) -> Comparison:
    """Time and energy of the method, or another defence, and of alternatives, against dense INT8.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.
    preset, table
        The platform and the technology, with the ranges of their constants.
    batch
        Inputs at once.
    beside
        Name -> the same network with another defence, or injection, for rows of its own.

    Raises
    ------
    UserError
        If the platform has no multipliers of `REFERENCE_BITS` or more, or a network beside it has
        other layers.
    """
    run_bits = preset.run_bits(REFERENCE_BITS)
    if run_bits is None:
        raise UserError(f"the platform has no multipliers of {REFERENCE_BITS} bits or more")
    others = beside or {}
    check_beside(network, others, {*own_names(network), *alternatives.NAMES})
    ways = _ways(network, others, batch)
    known = assumptions(preset, table)
    points: dict[tuple[str, frozenset[tuple[Assumption, Value]]], Cost | str] = {}

    def at(name: str, values: Mapping[Assumption, Value]) -> Cost | str:
        key = name, frozenset(values.items())
        if key not in points:
            points[key] = _cost(ways[name], *assuming(preset, table, dict(values)), batch)
        return points[key]

    area = areas(network, others, preset, table)
    rows = [_row(name, at, known, area.get(name)) for name in ways if name != _REFERENCE]
    reference = at(_REFERENCE, {})
    assert isinstance(reference, Cost)
    deciding = tuple(_deciding(network, preset, table, batch))
    return Comparison(reference, tuple(rows), deciding, tuple(known), run_bits, own_names(network))


_REFERENCE = "reference"
_Way = tuple[Grouped, _Phases]


def _ways(network: Network, others: Mapping[str, Network], batch: int) -> dict[str, _Way]:
    """Name -> the layers, and the phases of one of them."""
    layers = grouped(network)

    def dense(layer: Layer, preset: Preset) -> Sequence[Phase]:
        return (dense_phase(layer, preset, REFERENCE_BITS, batch),)

    def own(layer: Layer, preset: Preset) -> Sequence[Phase] | str:
        phases = injected_phases(layer, preset, batch)
        return "no multipliers of its bits" if phases is None else phases

    measured = any(layer.zero_inputs is not None for layer in network.layers)

    def alternative(name: str) -> _Phases:
        def phases(layer: Layer, preset: Preset) -> Sequence[Phase] | str:
            if name in alternatives.BY_DATA and not measured:
                return "no share of zeros was measured"
            found = alternatives.phase(name, layer, preset, batch)
            return found if isinstance(found, str) else (found,)

        return phases

    ways: dict[str, _Way] = {_REFERENCE: (layers, dense)}
    for each, name, at_int8 in described(network, others):
        ways[name] = (of := grouped(each)), own
        if (changed := of.each(at_reference)) != of:
            ways[at_int8] = changed, own
    one_by_one = Grouped(tuple((layer, 1) for layer in network.layers), network.assumed)
    of_data = dict.fromkeys(alternatives.BY_DATA, one_by_one)
    return ways | {n: (of_data.get(n, layers), alternative(n)) for n in alternatives.NAMES}


def _cost(way: _Way, preset: Preset, table: EnergyTable, batch: int) -> Cost | str:
    layers, phases_of = way
    seconds = pj = 0.0
    for layer, count in layers.parts:
        phases = phases_of(layer, preset)
        if isinstance(phases, str):
            return phases
        injection = layer.injection if len(phases) > 1 else None
        seconds += count * layer_seconds(phases, preset.order, injection, batch)
        pj += count * sum(phase_energy(phase, preset, table).total_pj for phase in phases)
    return Cost(seconds, pj)


_At = Callable[[str, Mapping[Assumption, Value]], Cost | str]


def _row(name: str, at: _At, known: Sequence[Assumption], area: float | None) -> Row:
    found = at(name, {})
    if isinstance(found, str):
        return Row(name, lacks=found)

    def both(values: Mapping[Assumption, Value]) -> tuple[Cost, Cost]:
        mine, reference = at(name, values), at(_REFERENCE, values)
        assert isinstance(mine, Cost)
        assert isinstance(reference, Cost)
        return mine, reference

    def speedup(values: Mapping[Assumption, Value]) -> float:
        mine, reference = both(values)
        return reference.seconds / mine.seconds

    def saved(values: Mapping[Assumption, Value]) -> float:
        mine, reference = both(values)
        return 1 - mine.pj / reference.pj

    free = [one for one in known if all(isinstance(at(name, {one: e}), Cost) for e in one.ends)]
    of_time = [one for one in free if one.of == "preset"]
    return Row(
        name, found, interval(speedup, of_time), interval(saved, free), area,
        faster=tuple(flips(speedup, of_time, 1.0)), thriftier=tuple(flips(saved, free, 0.0)),
    )  # fmt: skip


def _deciding(network: Network, preset: Preset, table: EnergyTable, batch: int) -> list[Deciding]:
    """What the method gains in each layer, its exact path at the bits of the reference."""
    found = []
    for layer, count in grouped(network).parts:
        if layer.injection is None:
            continue
        layer = at_reference(layer)
        phases = injected_phases(layer, preset, batch)
        if phases is None:
            continue
        dense = dense_phase(layer, preset, REFERENCE_BITS, batch)
        seconds = dense.seconds - layer_seconds(phases, preset.order, layer.injection, batch)
        pj = phase_energy(dense, preset, table).total_pj - sum(
            phase_energy(phase, preset, table).total_pj for phase in phases
        )
        found.append(Deciding(layer.name, count, count * seconds, count * pj))
    return sorted(found, key=lambda row: -abs(row.seconds))
