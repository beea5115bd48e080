"""For which fraction of essential neurons the method wins over dense, and a plan that lets it.

A layer wins where projection, approximation, selection and the exact part, each in the time of one
platform, take less than the dense layer at the same bits. Source: NENNI cost protocol.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hwmodel.errors import UserError
from hwmodel.granularity import carried_occupancy
from hwmodel.layer_spec import Layer, Network
from hwmodel.preset import Preset
from hwmodel.reduction import BASELINES
from hwmodel.roofline import injected_phases, widths

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


def at_bits(layer: Layer, bits: int) -> Layer:
    """The layer with its exact path at `bits`."""
    return layer.model_copy(update={"exact_bits": bits})


def at_fraction(layer: Layer, fraction: float) -> Layer:
    """The layer with another share of essential neurons.

    Masks of a selection that is not adjustable, as N:M, have the share that their kind gives them.
    Measured occupancies are carried over (`hwmodel.granularity.carried_occupancy`), but for those
    that can tell nothing of another share, of tiles that all run, or none: they are dropped.
    """
    if layer.injection is None or not _varies(layer):
        return layer
    measured = layer.injection.measured_fraction
    occupancy = {
        tile: carried_occupancy(share, measured, fraction, min(int(tile), layer.n))
        for tile, share in layer.injection.occupancy.items()
        if 0 < share < 1 and 0 < measured < 1
    }
    changed = {"fraction": fraction, "measured_fraction": fraction, "occupancy": occupancy}
    return layer.model_copy(update={"injection": layer.injection.model_copy(update=changed)})


def seconds(layers: Iterable[Layer], preset: Preset, batch: int = 1) -> float | None:
    """Time of layers with their injections, None if the platform lacks a precision."""
    total = 0.0
    for layer in layers:
        if (phases := injected_phases(layer, preset, batch)) is None:
            return None
        total += sum(phase.seconds for phase in phases)
    return total


def dense_seconds(layers: Iterable[Layer], preset: Preset, batch: int = 1) -> float | None:
    """Time of layers without their injections, at their own bits."""
    return seconds(
        [layer.model_copy(update={"injection": None}) for layer in layers], preset, batch
    )


def crossover_fraction(
    layers: Sequence[Layer], preset: Preset, dense_s: float, batch: int = 1
) -> float | None:
    """Largest share of essential neurons at which layers take less than `dense_s`.

    By bisection: the time does not fall with the share.
    """

    def wins(fraction: float) -> bool:
        time = seconds([at_fraction(layer, fraction) for layer in layers], preset, batch)
        return time is not None and time < dense_s

    if not wins(0.0):
        return None
    if wins(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if wins(middle) else (low, middle)
    return low


def _crossover(
    name: str, layers: Sequence[Layer], preset: Preset, bits: int, batch: int
) -> Crossover:
    layers = [at_bits(layer, bits) for layer in layers]
    dense_s, injected_s = dense_seconds(layers, preset, batch), seconds(layers, preset, batch)
    fraction = None if dense_s is None else crossover_fraction(layers, preset, dense_s, batch)
    return Crossover(name, bits, dense_s, injected_s, fraction)


def crossovers(network: Network, preset: Preset, batch: int = 1) -> list[Crossover]:
    """Every layer with an injection, and the network in total, at each baseline's bits.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.
    preset
        As read by `hwmodel.load_preset`.
    batch
        Inputs at once.
    """
    injected = [layer for layer in network.layers if layer.injection is not None]
    rows = [
        _crossover(layer.name, [layer], preset, bits, batch)
        for layer in injected
        for bits in BASELINES.values()
    ]
    totals = [
        _crossover("total", network.layers, preset, bits, batch) for bits in BASELINES.values()
    ]
    return rows + totals


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
    parts: list[tuple[str, Sequence[Layer]]] = [(layer.name, [layer]) for layer in injected]
    if any(map(_varies, injected)):
        parts.append(("total", network.layers))
    return [row for name, layers in parts for row in _speedups(name, layers, preset, batch)]


def _speedups(name: str, layers: Sequence[Layer], preset: Preset, batch: int) -> Iterator[Speedup]:
    bits = max(layer.exact_bits for layer in layers)
    dense_s = dense_seconds(layers, preset, batch)
    for fraction in _shares(layers):
        time = seconds([at_fraction(layer, fraction) for layer in layers], preset, batch)
        speedup = None if dense_s is None or time is None else dense_s / time
        yield Speedup(name, bits, fraction, speedup)


def _varies(layer: Layer) -> bool:
    return layer.injection is not None and layer.injection.selection.adjustable


def _shares(layers: Sequence[Layer]) -> list[float]:
    """Shares at which to look: those from 0 to 1, or the one that the masks have by their kind."""
    if any(map(_varies, layers)):
        return [step / _STEPS for step in range(_STEPS + 1)]
    return [layer.injection.measured_fraction for layer in layers if layer.injection is not None]


def plan(network: Network, preset: Preset, batch: int = 1) -> Network:
    """The network with every layer left dense that is not faster with its injection.

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
        If the platform lacks a precision that an injected layer needs.
    """
    return network.model_copy(
        update={"layers": tuple(_faster(layer, preset, batch) for layer in network.layers)}
    )


def _faster(layer: Layer, preset: Preset, batch: int) -> Layer:
    if layer.injection is None:
        return layer
    speedup = _crossover(layer.name, [layer], preset, layer.exact_bits, batch).speedup
    if speedup is None:
        needed = max(layer.exact_bits, *widths(layer.injection))
        raise UserError(
            f"layer {layer.name}: the platform cannot run {needed} bits, so there is nothing to "
            "plan by"
        )
    return layer if speedup > 1 else layer.model_copy(update={"injection": None})
