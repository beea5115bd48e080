"""A plain network as if the method were injected: expected non-zeros and nominal fractions.

For the question before any training: what could be saved? ``nenni describe`` records what an
injected network really has.
"""

from typing import Literal

from hwmodel.errors import UserError
from hwmodel.injection_spec import Algorithm, Injection, Projection
from hwmodel.layer_spec import Layer, Network

Granularity = tuple[Literal["element", "n_m", "block", "channel"], tuple[int, int] | None]


def read_granularity(text: str) -> Granularity:
    """Parse ``element``, ``n_m:2:4``, ``block:16x8`` (channels x positions) or ``channel``.

    Parameters
    ----------
    text
        As above.

    Raises
    ------
    UserError
        If it is none of these.
    """
    name, _, sizes = text.partition(":")
    separator = {"n_m": ":", "block": "x"}.get(name)
    try:
        if separator is None:
            if name in ("element", "channel") and not sizes:
                return name, None  # type: ignore[return-value]
            raise ValueError
        first, second = (int(part) for part in sizes.split(separator))
        if second < 1 or first < (name == "block") or (name == "n_m" and first > second):
            raise ValueError
    except ValueError:
        raise UserError(
            f"granularity {text!r} should be element, channel, n_m:2:4 or block:16x8"
        ) from None
    return ("n_m" if name == "n_m" else "block"), (first, second)


def share_of(granularity: Granularity) -> float | None:
    """Share of essential neurons that a granularity fixes, N / M; None for the others."""
    kind, sizes = granularity
    return sizes[0] / sizes[1] if kind == "n_m" and sizes is not None else None


def injected(
    network: Network,
    *,
    projection: Projection,
    ratio: float,
    fraction: float,
    granularity: Granularity,
    algorithm: Algorithm = "quickselect",
    bits: int = 4,
    min_inputs: int = 64,
) -> Network:
    """The network with an injection into each layer but the first and the last with weights.

    Parameters
    ----------
    network
        Injections that it has are replaced or removed.
    projection
        Kind of P.
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
    min_inputs
        Layers with fewer inputs per neuron stay exact, as do grouped convolutions.

    Raises
    ------
    UserError
        If the ratio or the fraction is out of range, N / M is another fraction, or a bisection has
        nothing to rank.
    """
    if not 0 < ratio <= 1:
        raise UserError(f"ratio should be above 0 and at most 1, got {ratio:g}")
    if not 0 <= fraction <= 1:
        raise UserError(f"fraction should be in [0, 1], got {fraction:g}")
    if (share := share_of(granularity)) is not None and abs(share - fraction) > 1e-3:
        raise UserError(f"the granularity n_m has the fraction {share:g}, not {fraction:g}")
    if algorithm == "bisection" and granularity[0] != "element":
        raise UserError(f"bisection ranks single neurons, not by the granularity {granularity[0]}")
    weighted = [layer.name for layer in network.layers if layer.kind != "matmul"]
    chosen = {
        layer.name
        for layer in network.layers
        if layer.name in weighted[1:-1] and layer.d >= min_inputs and layer.groups == 1
    }
    layers = [
        _with(layer, projection, ratio, fraction, granularity, algorithm, bits)
        if layer.name in chosen
        else layer.model_copy(update={"injection": None})
        for layer in network.layers
    ]
    return network.model_copy(update={"layers": tuple(layers), "assumed": True})


def _with(
    layer: Layer, projection: Projection, ratio: float, fraction: float, granularity: Granularity,
    algorithm: Algorithm, bits: int,
) -> Layer:  # fmt: skip
    kind, sizes = granularity
    is_shared = projection in ("tap_shared", "tap_shared_pca")
    rows = max(1, round(ratio * (layer.in_channels if is_shared else layer.d)))
    columns = layer.in_channels if is_shared else layer.d
    nonzeros = {
        "sparse": round(rows * columns / 3),
        "tap_shared": round(rows * columns / 3),
        "count_sketch": columns,
    }.get(projection, rows * columns)
    area = layer.kernel_size[0] * layer.kernel_size[1]
    injection = {
        "projection": projection,
        "k": rows * area if is_shared else rows,
        "k_c": rows if is_shared else None,
        "nonzeros": nonzeros,
        "weight_bits": bits,
        "input_bits": bits,
        "projected_bits": bits,
        "selection": "topk" if kind == "element" else kind,
        "fraction": fraction,
        "measured_fraction": fraction,
        "n_m": sizes if kind == "n_m" else None,
        "block": sizes if kind == "block" else None,
        "algorithm": algorithm if kind == "element" else None,
    }
    return layer.model_copy(update={"injection": Injection.model_validate(injection)})
