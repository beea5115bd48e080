"""How long elements that skip single neurons wait for the one with most to do.

Each element computes the essential ones of t neighbouring neurons at a position, one after the
other; R of them go on together when the last is done. Where R tiles have independent numbers J of
essential neurons, the step takes E[max J] = sum_j (1 - F(j - 1)^R) for j = 1 to t, F being the
distribution of J (order statistics: David and Nagaraja, Order Statistics, 3rd edition, 2003,
section 3.1). That tiles in one step are independent is assumed.
"""

from collections.abc import Sequence
from itertools import accumulate
from math import comb

from hwmodel.granularity import are_measured
from hwmodel.injection_spec import Injection


def loads(injection: Injection, tile: int, neurons: int, groups: int = 1) -> Sequence[float]:
    """Shares of tiles with 0, 1, ... essential neurons: measured, by N:M or blocks, or binomial.

    Parameters
    ----------
    injection
        Of the layer.
    tile
        Neurons of an element.
    neurons, groups
        As in `hwmodel.granularity.effective_fraction`.
    """
    measured = (injection.loads or {}).get(str(tile))
    if measured is not None and are_measured(tile, neurons, groups):
        return measured
    t, f = min(tile, neurons), injection.measured_fraction
    pattern = injection.selection.n_of_m
    if pattern is not None and t % pattern[1] == 0:
        chosen = t // pattern[1] * pattern[0]
        return [float(j == chosen) for j in range(t + 1)]
    if (block := injection.selection.tile.channels) is None or block % t == 0:
        return [1 - f, *[0.0] * (t - 1), f] if t else [1.0]
    return [comb(t, j) * f**j * (1 - f) ** (t - j) for j in range(t + 1)]


def slowest(shares: Sequence[float], elements: int) -> float:
    """Neurons that the fullest of so many tiles has, on average: E[max J].

    Parameters
    ----------
    shares
        From `loads`.
    elements
        That wait for each other.
    """
    below = list(accumulate(shares))[:-1]
    return sum(1 - min(1.0, share) ** elements for share in below)


def waiting(injection: Injection, tile: int, elements: int, neurons: int, groups: int = 1) -> float:
    """Times as long as if all elements had the same to do, E[max J] / E[J]; 1 with nothing to do.

    Parameters
    ----------
    injection, tile, neurons, groups
        As in `loads`.
    elements
        That wait for each other.
    """
    shares = loads(injection, tile, neurons, groups)
    mean = sum(j * share for j, share in enumerate(shares))
    return slowest(shares, elements) / mean if mean else 1.0
