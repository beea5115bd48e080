"""For which fraction of essential neurons the method wins over dense, and a plan that lets it.

A layer wins where projection, approximation, selection and the exact part, each in the time of one
platform, take less than the dense layer at the same bits. Source: NENNI cost protocol.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hwmodel.alike import Grouped, alike, counted, grouped
from hwmodel.errors import UserError
from hwmodel.layer_spec import Layer
from hwmodel.network_spec import Network
from hwmodel.phase import Phase
from hwmodel.preset import Preset
from hwmodel.rates import UnsupportedPrecisionError
from hwmodel.roofline import exact_phase, injected_phases
from hwmodel.schedule import layer_seconds
from hwmodel.variants import at_bits, at_fraction, varies
from hwmodel.whole_layer import dense_phase

_BISECTIONS = 20
_STEPS = 20
"""Shares of essential neurons between 0 and 1 at which speed-ups are given."""


@dataclass(frozen=True, slots=True)
class Crossover:
    """A layer, or the whole network, on one platform at one width of the exact path.

    Attributes
    ----------
    layer
        Name, or ``total``.
    bits
        Of the exact path and of dense.
    dense_s, injected_s
        Time of one batch, the latter at the fraction that was measured; None where the platform
        lacks a precision.
    fraction
        Share of essential neurons up to which the layer is faster than dense, in [0, 1]; None if it
        never is, or a precision is lacking. 1 if it always is, as N:M masks that win, which have
        one share. For ``total`` that of all layers.
    """

    layer: str
    bits: int
    dense_s: float | None
    injected_s: float | None
    fraction: float | None

    @property
    def speedup(self) -> float | None:
        """Dense time over injected time."""
        if self.dense_s is None or self.injected_s is None:
            return None
        return self.dense_s / self.injected_s


@dataclass(frozen=True, slots=True)
class _Timed:
    """Layers of one shape: how many, and the phases of one that do not hang on the share."""

    layer: Layer
    count: int
    fixed: tuple[Phase, ...]

    def seconds(self, preset: Preset, batch: int, fraction: float | None = None) -> float:
        """Time of all of them at a share; as described by default."""
        layer = self.layer if fraction is None else at_fraction(self.layer, fraction)
        phases = self.fixed
        if layer.injection is not None:
            phases = (*phases, exact_phase(layer, layer.injection, preset, batch))
        return self.count * layer_seconds(phases, preset.order, layer.injection, batch)


Parts = Iterable[tuple[Layer, int]]
"""Layers, each with how many of its shape there are."""


def _timed(parts: Parts, preset: Preset, batch: int) -> list[_Timed] | None:
    """What does not hang on the share, None if the platform lacks a precision."""
    found = []
    for layer, count in parts:
        if (phases := injected_phases(layer, preset, batch)) is None:
            return None
        fixed = phases if layer.injection is None else phases[:-1]
        found.append(_Timed(layer, count, fixed))
    return found


def seconds(layers: Iterable[Layer], preset: Preset, batch: int = 1) -> float | None:
    """Time of layers with their injections, None if the platform lacks a precision."""
    return _seconds(_timed(counted(layers), preset, batch), preset, batch)


def _seconds(timed: Sequence[_Timed] | None, preset: Preset, batch: int) -> float | None:
    return None if timed is None else sum(part.seconds(preset, batch) for part in timed)


def dense_seconds(layers: Iterable[Layer], preset: Preset, batch: int = 1) -> float | None:
    """Time of layers without their injections, at their own bits."""
    return _dense_seconds(counted(layers), preset, batch)


def _dense_seconds(parts: Parts, preset: Preset, batch: int) -> float | None:
    try:
        return sum(
            n * dense_phase(layer, preset, layer.exact_bits, batch).seconds for layer, n in parts
        )
    except UnsupportedPrecisionError:
        return None


def crossover_fraction(
    layers: Sequence[Layer], preset: Preset, dense_s: float, batch: int = 1
) -> float | None:
    """Largest share of essential neurons at which layers take less than `dense_s`.

    By bisection: the time does not fall with the share.
    """
    timed = _timed(counted(layers), preset, batch)
    return None if timed is None else _crossover_fraction(timed, preset, dense_s, batch)


def _crossover_fraction(
    timed: Sequence[_Timed], preset: Preset, dense_s: float, batch: int
) -> float | None:
    def wins(fraction: float) -> bool:
        return sum(part.seconds(preset, batch, fraction) for part in timed) < dense_s

    if not wins(0.0):
        return None
    if wins(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if wins(middle) else (low, middle)
    return low


def _crossover(name: str, parts: Parts, preset: Preset, bits: int, batch: int) -> Crossover:
    parts = [(at_bits(layer, bits), count) for layer, count in parts]
    dense_s, timed = _dense_seconds(parts, preset, batch), _timed(parts, preset, batch)
    fraction = None
    if dense_s is not None and timed is not None:
        fraction = _crossover_fraction(timed, preset, dense_s, batch)
    return Crossover(name, bits, dense_s, _seconds(timed, preset, batch), fraction)


def crossovers(network: Network, preset: Preset, batch: int = 1) -> list[Crossover]:
    """Every layer with an injection, and the network in total, at each baseline's bits.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.
    preset
        As read by `hwmodel.load_preset`; 4 bits are looked at where it has a rate for them.
    batch
        Inputs at once.
    """

    def of_layer(layer: Layer) -> Sequence[Crossover]:
        widths = preset.compared_bits
        return [_crossover(layer.name, [(layer, 1)], preset, bits, batch) for bits in widths]

    injected = [layer for layer in network.layers if layer.injection is not None]
    rows = alike(injected, of_layer, lambda row, name: replace(row, layer=name))
    return rows + total_crossovers(grouped(network), preset, batch)


def total_crossovers(network: Grouped, preset: Preset, batch: int = 1) -> list[Crossover]:
    """The network in total alone, at each baseline's bits."""
    widths = preset.compared_bits
    return [_crossover("total", network.parts, preset, bits, batch) for bits in widths]


@dataclass(frozen=True, slots=True)
class Speedup:
    """A layer, or the whole network, at one share of essential neurons.

    Attributes
    ----------
    layer
        Name, or ``total``.
    bits
        Of the exact path and of dense; in ``total`` the widest.
    fraction
        Share of essential neurons, of all layers alike in ``total``.
    speedup
        Dense time over injected time; None where the platform lacks a precision.
    """

    layer: str
    bits: int
    fraction: float
    speedup: float | None


def speedups(network: Network, preset: Preset, batch: int = 1) -> list[Speedup]:
    """Speed-up of every layer with an injection, and in total, over shares from 0 to 1.

    A layer whose masks have one share by their kind, as N:M, has one row, and stays at it in total.

    Parameters
    ----------
    network
        As read by `hwmodel.load`; layers are at their own bits.
    preset
        The platform.
    batch
        Inputs at once.
    """
    injected = [layer for layer in network.layers if layer.injection is not None]

    def of_layer(layer: Layer) -> Sequence[Speedup]:
        return list(_speedups(layer.name, [layer], preset, batch))

    rows = alike(injected, of_layer, lambda row, name: replace(row, layer=name))
    if any(map(varies, injected)):
        rows.extend(_speedups("total", network.layers, preset, batch))
    return rows


def _speedups(name: str, layers: Sequence[Layer], preset: Preset, batch: int) -> Iterator[Speedup]:
    bits = max(layer.exact_bits for layer in layers)
    parts = counted(layers)
    dense_s, timed = _dense_seconds(parts, preset, batch), _timed(parts, preset, batch)
    for fraction in _shares(layers):
        speedup = None
        if dense_s is not None and timed is not None:
            speedup = dense_s / sum(part.seconds(preset, batch, fraction) for part in timed)
        yield Speedup(name, bits, fraction, speedup)


def _shares(layers: Sequence[Layer]) -> list[float]:
    """Shares at which to look: those from 0 to 1, or the one that the masks have by their kind."""
    if any(map(varies, layers)):
        return [step / _STEPS for step in range(_STEPS + 1)]
    return [layer.injection.measured_fraction for layer in layers if layer.injection is not None]


def plan(network: Network, preset: Preset, batch: int = 1) -> Network:
    """The network with every layer left dense that is not faster with its injection.

    So is one whose P or W~ the platform cannot multiply.

    Parameters
    ----------
    network
        As read by `hwmodel.load`; each layer is compared at its own bits.
    preset
        The platform.
    batch
        Inputs at once.

    Raises
    ------
    UserError
        If the platform cannot run an injected layer even dense.
    """
    return network.model_copy(
        update={"layers": tuple(_faster(layer, preset, batch) for layer in network.layers)}
    )


def _faster(layer: Layer, preset: Preset, batch: int) -> Layer:
    if layer.injection is None:
        return layer
    dense_s, injected_s = dense_seconds([layer], preset, batch), seconds([layer], preset, batch)
    if dense_s is None:
        raise UserError(
            f"layer {layer.name}: the platform cannot run {layer.exact_bits} bits, so there is "
            "nothing to plan by (--exact-bits says others, with --projection)"
        )
    is_faster = injected_s is not None and injected_s < dense_s
    return layer if is_faster else layer.model_copy(update={"injection": None})
