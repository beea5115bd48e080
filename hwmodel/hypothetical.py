"""A plain network as if the method were injected: expected non-zeros and nominal fractions.

For the question before any training: what could be saved? ``nenni describe`` records what an
injected network really has.
"""

import re
from dataclasses import dataclass
from math import comb
from typing import Any, Literal

from hwmodel.errors import UserError
from hwmodel.injection_spec import Algorithm, Injection
from hwmodel.layer_spec import Layer
from hwmodel.metrics import ceil_log2
from hwmodel.network_spec import Network

Matrix = Literal["ternary", "real", "single", "ternary:shared", "real:shared", "single:shared"]
"""Entries of P: a third of them +-1 (expected), all of them real numbers, or a single +-1 for each
input; ``shared``: over the channels alone, the same at every tap of the kernel."""
_TILE = re.compile(r"([1-9]\d*|all)x([1-9]\d*|all)")
_N_OF_M = re.compile(r"(\d+):([1-9]\d*)")


@dataclass(frozen=True, slots=True)
class Granularity:
    """What is essential or not as a whole.

    Attributes
    ----------
    text
        As it was read.
    channels, positions
        Of a tile; None: all.
    n_of_m
        N and M where N of every M neighbouring channels are essential.
    """

    text: str
    channels: int | None
    positions: int | None
    n_of_m: tuple[int, int] | None = None

    @property
    def share(self) -> float | None:
        """Share of essential neurons that it fixes, N / M; None if it fixes none."""
        return None if self.n_of_m is None else self.n_of_m[0] / self.n_of_m[1]

    @property
    def is_single(self) -> bool:
        """Whether single neurons are ranked."""
        return (self.channels, self.positions, self.n_of_m) == (1, 1, None)


def read_granularity(text: str) -> Granularity:
    """Parse ``1x1`` (single neurons), ``16x8`` (channels x positions), ``1xall`` or ``2:4`` (N:M).

    Parameters
    ----------
    text
        As above.

    Raises
    ------
    UserError
        If it is none of these, or all channels at all positions.
    """
    if (found := _TILE.fullmatch(text)) and text != "allxall":
        channels, positions = (int(n) if n.isdecimal() else None for n in found.groups())
        return Granularity(text, channels, positions)
    if (found := _N_OF_M.fullmatch(text)) and int(found[1]) <= int(found[2]):
        return Granularity(text, 1, 1, (int(found[1]), int(found[2])))
    raise UserError(
        f"granularity {text!r} should be channels x positions, as 16x8 or 1xall, or 2:4"
    )


def injected(
    network: Network,
    *,
    projection: Matrix,
    ratio: float,
    fraction: float,
    granularity: Granularity,
    algorithm: Algorithm = "quickselect",
    bits: int = 4,
    exact_bits: int | None = None,
    min_inputs: int = 64,
) -> Network:
    """The network with an injection into each layer but the first and the last with weights.

    Non-essential neurons get z~, by which the essential ones are chosen.

    Parameters
    ----------
    network
        Injections that it has are replaced or removed.
    projection
        Entries of P: see `Matrix`.
    ratio
        k / d, in (0, 1].
    fraction
        Share of essential neurons, in [0, 1].
    granularity
        From `read_granularity`.
    algorithm
        How neurons are ranked where single ones are chosen.
    bits
        Of W~, Q_a and Q_p.
    exact_bits
        Of the exact path of all layers, injected or not; None (default): as they are.
    min_inputs
        Layers with fewer inputs per neuron stay exact, as do grouped and transposed convolutions.

    Raises
    ------
    UserError
        If the ratio or the fraction is out of range, N / M is another fraction, or a bisection has
        nothing to rank.
    """
    check_choices(ratio, fraction, granularity, algorithm)
    changed = {} if exact_bits is None else {"exact_bits": exact_bits}
    weighted = [index for index, layer in enumerate(network.layers) if layer.kind != "matmul"]
    inner = set(weighted[1:-1])
    made: dict[tuple[object, ...], Injection] = {}
    layers = []
    for index, layer in enumerate(network.layers):
        injection = None
        if index in inner and _takes(layer, min_inputs):
            if (key := layer.shape) not in made:
                made[key] = _injection(
                    layer, projection, ratio, fraction, granularity, algorithm, bits
                )
            injection = made[key]
        layers.append(layer.model_copy(update={"injection": injection, "defence": None, **changed}))
    return network.model_copy(update={"layers": tuple(layers), "assumed": True})


def check_choices(
    ratio: float, fraction: float, granularity: Granularity, algorithm: Algorithm
) -> None:
    """Refuse shares that are out of range, or that go with no such granularity.

    Raises
    ------
    UserError
        Saying which.
    """
    if not 0 < ratio <= 1:
        raise UserError(f"ratio should be above 0 and at most 1, got {ratio:g}")
    if not 0 <= fraction <= 1:
        raise UserError(f"fraction should be in [0, 1], got {fraction:g}")
    if granularity.share is not None and abs(granularity.share - fraction) > 1e-3:
        raise UserError(
            f"the granularity {granularity.text} has the fraction {granularity.share:g}, not "
            f"{fraction:g}"
        )
    if algorithm == "bisection" and not granularity.is_single:
        raise UserError(f"bisection ranks single neurons, 1x1, not {granularity.text}")


def _takes(layer: Layer, min_inputs: int) -> bool:
    """Whether the method is injected: not into grouped, transposed or shallow layers."""
    return layer.d >= min_inputs and layer.groups == 1 and not layer.is_transposed


def _injection(
    layer: Layer, projection: Matrix, ratio: float, fraction: float, granularity: Granularity,
    algorithm: Algorithm, bits: int,
) -> Injection:  # fmt: skip
    entries, _, shared = projection.partition(":")
    columns = layer.in_channels if shared else layer.d
    rows = max(1, round(ratio * columns))
    indexed = {"ternary": columns, "single": rows}.get(entries)
    nonzeros = {"ternary": max(1, round(rows * columns / 3)), "single": columns}.get(
        entries, rows * columns
    )
    injection = {
        "projection": {
            "name": projection,
            "real": indexed is None,
            "nonzero_bits": None if indexed is None else ceil_log2(indexed) + 1,
        },
        "selection": _selection(layer, granularity, algorithm),
        "noise": {"name": "z~", "uses": "approximate"},
        "k": rows * layer.area if shared else rows,
        "k_c": rows if shared else None,
        "nonzeros": nonzeros,
        "weight_bits": bits,
        "input_bits": bits,
        "projected_bits": bits,
        "fraction": fraction,
        "measured_fraction": fraction,
    }
    return Injection.model_validate(injection)


def _selection(layer: Layer, granularity: Granularity, algorithm: Algorithm) -> dict[str, Any]:
    """A top-k over single neurons or the sums of tiles, or the comparison of all pairs of M."""
    comparisons = additions = 0
    if granularity.n_of_m is not None:
        groups, rest = divmod(layer.n, granularity.n_of_m[1])
        comparisons = groups * comb(granularity.n_of_m[1], 2) + comb(rest, 2)
    elif not granularity.is_single:
        additions = layer.n
    return {
        "name": granularity.text,
        "judges": "approximate",
        "algorithm": algorithm if granularity.is_single else None,
        "comparisons": comparisons,
        "additions": additions,
        "tile": {"channels": granularity.channels, "positions": granularity.positions},
        "n_of_m": granularity.n_of_m,
        "adjustable": granularity.n_of_m is None,
    }
