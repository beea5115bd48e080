"""Fractions per layer that spend a total budget of exact multiply-accumulates best."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nenni.errors import UserError

_STEPS = 16
"""Fractions are multiples of 1/16."""
_RESOLUTION = 2000
"""Parts of the total cost in which the budget is counted."""


def allocate(
    sensitivities: pd.DataFrame,
    relative_error: Mapping[str, float],
    macs: Mapping[str, float],
    budget: float,
) -> pd.DataFrame:
    """Minimise the summed rise in loss with sum_l f_l macs_l <= budget sum_l macs_l.

    The rise of each layer is read off its sensitivities at the relative error of its
    approximation, linearly between grid points; rises are assumed to add up. The minimum over the
    grid of fractions is exact, by dynamic programming over the spent budget.

    Parameters
    ----------
    sensitivities : DataFrame
        From :func:`nenni.profiling.sensitivities`.
    relative_error : mapping
        Layer -> rms(z~ - z) / rms(z).
    macs : mapping
        Layer -> cost of computing all its neurons.
    budget : float
        Share of the total cost that may be spent, in [0, 1].

    Returns
    -------
    DataFrame
        One row per layer: ``fraction``, ``predicted_rise`` at it, and ``uniform_rise``, the
        prediction for the budget as the fraction of every layer.
    """
    layers = list(relative_error)
    fractions = np.arange(_STEPS + 1) / _STEPS
    rises = np.array(
        [_rise(sensitivities, name, relative_error[name], fractions) for name in layers]
    )
    share = np.array([macs[name] for name in layers], dtype=float)
    share /= share.sum()
    costs = np.ceil(np.outer(share, fractions) * _RESOLUTION - 1e-9).astype(int)
    allowed = int(np.floor(budget * _RESOLUTION + 1e-9)) + len(layers) - 1  # undoes the rounding up
    choice = _cheapest(rises, costs, min(allowed, int(costs.max(1).sum())))
    while (share @ fractions[choice]) > budget + 1e-9:
        allowed -= 1
        choice = _cheapest(rises, costs, allowed)
    uniform = [
        float(_rise(sensitivities, name, relative_error[name], np.array([budget]))[0])
        for name in layers
    ]
    return pd.DataFrame(
        {
            "layer": layers,
            "fraction": fractions[choice],
            "predicted_rise": rises[np.arange(len(layers)), choice],
            "uniform_rise": uniform,
        }
    )


def _rise(
    table: pd.DataFrame, layer: str, error: float, fractions: NDArray[np.float64]
) -> NDArray[np.float64]:
    grid = table[table["layer"] == layer].pivot(index="fraction", columns="noise", values="rise")
    grid[0.0] = 0.0
    grid.loc[1.0] = 0.0
    grid = grid.sort_index().sort_index(axis=1)
    noises = grid.columns.to_numpy(dtype=float)
    if error > noises[-1]:
        raise UserError(
            f"layer {layer}: its approximation has a relative error of {error:.2f}, beyond the "
            f"profile's noises (up to {noises[-1]:g}); add a larger one to profile.noises"
        )
    at_error = [float(np.interp(error, noises, row)) for row in grid.to_numpy(dtype=float)]
    return np.interp(fractions, grid.index.to_numpy(dtype=float), at_error)


def _cheapest(
    rises: NDArray[np.float64], costs: NDArray[np.int64], allowed: int
) -> NDArray[np.int64]:
    """Index of the fraction of each layer with the least summed rise within the allowed cost."""
    best = np.zeros(allowed + 1)
    picks = []
    for rise, cost in zip(rises, costs, strict=True):
        options = np.full((len(rise), allowed + 1), np.inf)
        for i, spent in enumerate(cost):
            if spent <= allowed:
                options[i, spent:] = rise[i] + best[: allowed + 1 - spent]
        picks.append(options.argmin(0))
        best = options.min(0)
    left, choice = allowed, []
    for pick, cost in zip(reversed(picks), reversed(list(costs)), strict=True):
        choice.append(int(pick[left]))
        left -= cost[choice[-1]]
    return np.array(choice[::-1])
