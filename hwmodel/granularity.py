"""How much of a layer runs on hardware that can only skip whole tiles of outputs.

A tile is t neighbouring output channels at one position (a vector, a row of a multiplier array): it
is skipped only if none of its t neurons is essential. Edges of a layer are neglected.
"""

from math import comb, gcd, log1p
from statistics import fmean

from hwmodel.injection_spec import Injection
from hwmodel.op_count import computes_all, exact_fraction


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


def n_of_m_fraction(n: int, m: int, tile: int) -> float:
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


def block_fraction(fraction: float, channels: int, tile: int) -> float:
    """Share of tiles that touch an essential block, if each block is one independently.

    The mean of 1 - (1 - f)^j over the tiles of a period, of which each touches its own number j of
    blocks; tiles and blocks both start at channel 0. So f where t divides the block's channels c,
    1 - (1 - f)^(t / c) where c divides t, and in between where tiles straddle blocks.

    Parameters
    ----------
    fraction
        Share of essential blocks.
    channels
        Neighbouring channels in a block. How many positions it has makes no difference to a tile,
        which lies at one.
    tile
        Outputs in a tile.

    Notes
    -----
    Independence is an assumption, as in `scattered_fraction`: a ranking takes a fixed number of
    blocks, and neighbours tend to be alike.
    """
    offsets = range(0, channels, gcd(channels, tile))
    touched = [(offset + tile - 1) // channels + 1 for offset in offsets]
    return fmean(scattered_fraction(fraction, blocks) for blocks in touched)


def carried_occupancy(occupancy: float, fraction: float, other: float, neurons: int) -> float:
    """Share of tiles with an essential neuron at another share than the one it was measured at.

    A tile in which essential neurons lie together is taken to behave as fewer independent neurons
    t' than it has, at every share: 1 - (1 - f)^t' is the measured occupancy at the measured f.

    Parameters
    ----------
    occupancy
        As measured, above 0 and below 1.
    fraction
        Share of essential neurons of the measurement, above 0 and below 1.
    other
        Share to carry it to.
    neurons
        In a tile, the most that t' can be; the least is 1.

    Notes
    -----
    Chosen here: one measurement gives one constant.
    """
    independent = log1p(-occupancy) / log1p(-fraction)
    idle: float = (1 - other) ** min(max(1.0, independent), neurons)
    return 1 - idle


def are_measured(tile: int, neurons: int, groups: int) -> bool:
    """Whether tiles are as those that are measured, which have neurons of one group each.

    Parameters
    ----------
    tile, neurons, groups
        As in `effective_fraction`.
    """
    return groups == 1 or neurons // groups % tile == 0


def effective_fraction(injection: Injection, tile: int, neurons: int, groups: int = 1) -> float:
    """Share of the exact work that tiled hardware executes.

    Blocks of a multiple of the tile's channels keep their fraction. So do whole channels: the same
    ones are chosen at all positions of an input, and their weights can be gathered into full tiles
    first, for one input at a time. So do whole positions, of which each is a row of tiles.
    Selections by the exact z and noise added to it run everything. For the others, an occupancy
    that was measured of such tiles goes before what independence would give.

    Parameters
    ----------
    injection
        Whose selection decides how the essential neurons lie.
    tile
        Outputs in a tile.
    neurons
        That tiles are cut from, at one position: a wider tile holds no more. Those of the layer, of
        a group of it that has tiles of its own, or of the groups that share tiles.
    groups
        That share tiles.
    """
    fraction, block = exact_fraction(injection), injection.selection.tile
    if computes_all(injection) or block.channels is None or block.positions is None:
        return fraction
    measured = injection.occupied.get(str(tile))
    if measured is not None and are_measured(tile, neurons, groups):
        return measured
    tile = min(tile, neurons)
    if injection.selection.n_of_m is not None:
        return n_of_m_fraction(*injection.selection.n_of_m, tile)
    return block_fraction(fraction, block.channels, tile)
