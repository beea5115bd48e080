"""How much of a layer runs on hardware that can only skip whole tiles of outputs.

A tile is t neighbouring output channels at one position (a vector, a row of a multiplier array): it
is skipped only if none of its t neurons is essential.
"""

from math import comb

from hwmodel.injection_spec import Injection
from hwmodel.op_count import exact_fraction


def scattered_fraction(fraction: float, tile: int) -> float:
    """Share of tiles with an essential neuron, if each is one independently: 1 - (1 - f)^t.

    Parameters
    ----------
    fraction
        Share of essential neurons.
    tile
        Outputs in a tile.

    Notes
    -----
    Source: NENNI cost protocol.
    """
    return 1 - (1 - fraction) ** tile


def n_m_fraction(n: int, m: int, tile: int) -> float:
    """Share of tiles with an essential neuron, if N of every M neighbours are essential.

    Hypergeometric for tiles within a group, 1 - C(M - t, N) / C(M, N); 1 for tiles that hold a
    whole group, if N > 0. Tiles and groups are taken as aligned, one size a multiple of the other.

    Parameters
    ----------
    n, m
        Essential neurons in a group, and its size.
    tile
        Outputs in a tile.
    """
    return 1 - comb(m - min(tile, m), n) / comb(m, n)


def effective_fraction(injection: Injection, tile: int) -> float:
    """Share of the exact work that tiled hardware executes.

    Blocks and channels keep their fraction (taken to be no smaller than a tile); so do masks that
    treat all neurons alike, and the ``oracle``, which runs everything.

    Parameters
    ----------
    injection
        Whose selection decides how the essential neurons lie.
    tile
        Outputs in a tile.
    """
    fraction = exact_fraction(injection)
    match injection.selection:
        case "topk" | "threshold" | "random" | "inverted":
            return scattered_fraction(fraction, tile)
        case "n_m":
            assert injection.n_m is not None
            return n_m_fraction(*injection.n_m, tile)
        case "block" | "channel" | "oracle" | "all" | "none":
            return fraction
