"""A plain network under many settings of the method: time and energy in total.

What settings have in common is worked out once: the dense network, what does not hang on the share
of essential neurons, and what does not hang on P.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from hwmodel.alike import Grouped, grouped
from hwmodel.energy_estimate import phase_energy
from hwmodel.energy_table import EnergyTable
from hwmodel.hypothetical import Matrix, check_choices, injected, read_granularity
from hwmodel.injection_spec import Algorithm
from hwmodel.layer_spec import Layer
from hwmodel.network_spec import Network
from hwmodel.phase import Phase
from hwmodel.preset import Preset
from hwmodel.rates import UnsupportedPrecisionError
from hwmodel.roofline import (
    approximation_phase,
    exact_phase,
    projection_phase,
    selection_phase,
)
from hwmodel.schedule import layer_seconds
from hwmodel.variants import at_fraction
from hwmodel.whole_layer import dense_phase


@dataclass(frozen=True, slots=True)
class Setting:
    """One choice of the method and of where it runs.

    Attributes
    ----------
    preset
        Name of the platform.
    projection, ratio, fraction, algorithm, bits, exact_bits
        As in `hwmodel.injected`.
    granularity
        As `hwmodel.read_granularity` takes it.
    batch
        Inputs at once.
    """

    preset: str
    projection: Matrix = "ternary:shared"
    ratio: float = 0.125
    fraction: float = 0.5
    granularity: str = "1x1"
    algorithm: Algorithm = "quickselect"
    bits: int = 4
    exact_bits: int | None = None
    batch: int = 1


@dataclass(frozen=True, slots=True)
class Total:
    """Seconds and picojoules of one batch; None where the platform lacks a precision."""

    seconds: float | None
    pj: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one setting takes, and the dense network at the same bits of the exact path."""

    setting: Setting
    dense: Total
    injected: Total

    @property
    def speedup(self) -> float | None:
        """Dense time over injected time."""
        if self.dense.seconds is None or self.injected.seconds is None:
            return None
        return self.dense.seconds / self.injected.seconds

    @property
    def energy_saved(self) -> float | None:
        """Share of the dense energy; negative for a loss."""
        if self.dense.pj is None or self.injected.pj is None:
            return None
        return 1 - self.injected.pj / self.dense.pj


def sweep(
    network: Network,
    settings: Iterable[Setting],
    presets: Mapping[str, Preset],
    table: EnergyTable,
) -> Iterator[Evaluation]:
    """Time and energy of a network under each setting, in order.

    The sums of `hwmodel.latency` and `hwmodel.energy` of `hwmodel.injected`, many thousands in a
    few seconds.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.
    settings
        What to try, such as a product of lists.
    presets
        Platforms by the names that the settings have.
    table
        As read by `hwmodel.load_energy_table`.
    """
    costs = _Costs(network, presets, table)
    for setting in settings:
        yield Evaluation(setting, costs.dense(setting), costs.injected(setting))


@dataclass(frozen=True, slots=True)
class _Part:
    """Phases of one layer of each shape, and their energy."""

    phases: tuple[Phase, ...]
    pj: float


class _Costs:
    """Totals, and what they are made of, each kept by the part of a setting that it hangs on."""

    def __init__(self, network: Network, presets: Mapping[str, Preset], table: EnergyTable) -> None:
        self._network, self._presets, self._table = network, presets, table
        self._made: dict[tuple[object, ...], Grouped] = {}
        self._parts: dict[tuple[object, ...], list[_Part] | None] = {}
        self._totals: dict[tuple[object, ...], Total] = {}

    def dense(self, of: Setting) -> Total:
        """The network without injection, at the bits of the exact path."""

        def phases(layer: Layer, preset: Preset) -> Iterable[Phase]:
            return (dense_phase(layer, preset, layer.exact_bits, of.batch),)

        return self._total(of, {("dense", of.exact_bits): phases})

    def injected(self, of: Setting) -> Total:
        """Phase by phase, since not all hang on P, nor all on the share, unless they are fused."""
        check_choices(of.ratio, of.fraction, read_granularity(of.granularity), of.algorithm)
        granularity = (of.granularity, of.algorithm, of.exact_bits)
        choices = (of.projection, of.ratio, of.bits, *granularity)
        fused = self._presets[of.preset].order != "serial"
        phases = {
            ("projection", *choices): projection_phase,
            ("approximation", *choices, of.fraction if fused else None): approximation_phase,
            ("selection", *choices): selection_phase,
            ("exact", of.fraction, *(choices if fused else granularity)): exact_phase,
        }
        return self._total(of, {key: partial(_phase, of, made) for key, made in phases.items()})

    def _total(
        self,
        of: Setting,
        made: Mapping[tuple[object, ...], Callable[[Layer, Preset], Iterable[Phase]]],
    ) -> Total:
        key = (*made, of.preset, of.batch)
        if key not in self._totals:
            parts = [self._parts_of(of, each, phases) for each, phases in made.items()]
            self._totals[key] = self._sum(of, parts)
        return self._totals[key]

    def _parts_of(
        self,
        of: Setting,
        key: tuple[object, ...],
        phases: Callable[[Layer, Preset], Iterable[Phase]],
    ) -> list[_Part] | None:
        key = (*key, of.preset, of.batch)
        if key not in self._parts:
            preset = self._presets[of.preset]
            try:
                self._parts[key] = [
                    self._part(tuple(phases(layer, preset)), preset)
                    for layer, _ in self._network_of(of).parts
                ]
            except UnsupportedPrecisionError:
                self._parts[key] = None
        return self._parts[key]

    def _part(self, phases: tuple[Phase, ...], preset: Preset) -> _Part:
        return _Part(phases, sum(phase_energy(p, preset, self._table).total_pj for p in phases))

    def _sum(self, of: Setting, parts: Sequence[list[_Part] | None]) -> Total:
        order = self._presets[of.preset].order
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return Total(None, None)
        seconds = pj = 0.0
        for (layer, count), *here in zip(self._network_of(of).parts, *known, strict=True):
            phases = tuple(phase for part in here for phase in part.phases)
            injection = layer.injection if len(known) > 1 else None
            seconds += count * layer_seconds(phases, order, injection, of.batch)
            pj += count * sum(part.pj for part in here)
        return Total(seconds, pj)

    def _network_of(self, of: Setting) -> Grouped:
        """As if injected, at any share that the granularity allows."""
        key = (of.projection, of.ratio, of.bits, of.granularity, of.algorithm, of.exact_bits)
        if key not in self._made:
            granularity = read_granularity(of.granularity)
            self._made[key] = grouped(
                injected(
                    self._network, projection=of.projection, ratio=of.ratio, fraction=of.fraction,
                    granularity=granularity, algorithm=of.algorithm, bits=of.bits,
                    exact_bits=of.exact_bits,
                )
            )  # fmt: skip
        return self._made[key]


def _phase(
    of: Setting, made: Callable[..., Phase], layer: Layer, preset: Preset
) -> Iterator[Phase]:
    if (injection := at_fraction(layer, of.fraction).injection) is not None:
        yield made(layer, injection, preset, of.batch)
    elif made is exact_phase:
        yield dense_phase(layer, preset, layer.exact_bits, of.batch)
