"""Fractions per layer that spend a total budget of exact multiply-accumulates best."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nenni.core.errors import UserError

_STEPS = 16
"""Fractions are multiples of 1/16."""
_RESOLUTION = 2000
"""Parts of the total cost in which the budget is counted."""


def allocate(rises: pd.DataFrame, macs: Mapping[str, float], budget: float) -> pd.DataFrame:
    """Minimise the summed rise in loss with sum_l f_l macs_l <= budget sum_l macs_l.

    Rises are linear between the given fractions of a layer, which takes none beyond them, and are
    assumed to add up. The minimum over the grid of fractions is exact, by dynamic programming over
    the spent budget.

    Parameters
    ----------
    rises : DataFrame
        Columns ``layer``, ``fraction`` and ``rise`` in loss.
    macs : mapping
        Layer -> cost of computing all its neurons.
    budget : float
        Share of the total cost that may be spent, in [0, 1].

    Returns
    -------
    DataFrame
        One row per layer: ``fraction`` and ``predicted_rise`` at it.

    Raises
    ------
    UserError
        If the lowest of the given fractions cost more than the budget.
    """
    layers = list(macs)
    fractions = np.arange(_STEPS + 1) / _STEPS
    table = np.array([_on_grid(rises, name, fractions) for name in layers])
    share = np.array([macs[name] for name in layers], dtype=float)
    share /= share.sum()
    costs = np.ceil(np.outer(share, fractions) * _RESOLUTION - 1e-9).astype(int)
    allowed = int(np.floor(budget * _RESOLUTION + 1e-9)) + len(layers) - 1  # undoes the rounding up
    allowed = min(allowed, int(costs.max(1).sum()))
    choice = _cheapest(table, costs, allowed)
    while (share @ fractions[choice]) > budget + 1e-9:
        allowed -= 1
        choice = _cheapest(table, costs, allowed)
    found = table[np.arange(len(layers)), choice]
    if not np.isfinite(found).all():
        raise UserError(f"no fractions among those that were measured cost {budget:g} or less")
    return pd.DataFrame({"layer": layers, "fraction": fractions[choice], "predicted_rise": found})


def rises_at(sensitivities: pd.DataFrame, relative_error: Mapping[str, float]) -> pd.DataFrame:
    """Rises that a profile predicts for noise of the size of each layer's approximation error.

    Layers are taken one at a time, each in an otherwise exact network: what this misses when all
    are injected is measured in ``workflow/scripts/allocation_study.py``.

    Parameters
    ----------
    sensitivities : DataFrame
        From :func:`nenni.method.profile.sensitivities`.
    relative_error : mapping
        Layer -> rms(z~ - z) / rms(z).

    Returns
    -------
    DataFrame
        Columns ``layer``, ``fraction`` and ``rise``, linear between the profile's noises.

    Raises
    ------
    UserError
        If an error is beyond the profile's noises.
    """
    rows = []
    for layer, error in relative_error.items():
        profile = sensitivities[sensitivities["layer"] == layer]
        grid = profile.pivot(index="fraction", columns="noise", values="rise")
        grid[0.0] = 0.0
        grid.loc[1.0] = 0.0
        grid = grid.sort_index().sort_index(axis=1)
        noises = grid.columns.to_numpy(dtype=float)
        if error > noises[-1]:
            raise UserError(
                f"layer {layer}: its approximation has a relative error of {error:.2f}, beyond the "
                f"profile's noises (up to {noises[-1]:g}); add a larger one to profile.noises"
            )
        rows += [
            {"layer": layer, "fraction": fraction, "rise": float(np.interp(error, noises, values))}
            for fraction, values in zip(grid.index, grid.to_numpy(dtype=float), strict=True)
        ]
    return pd.DataFrame(rows)


def _on_grid(
    rises: pd.DataFrame, layer: str, fractions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Rises of a layer at all fractions; infinite beyond those given."""
    own = rises[rises["layer"] == layer].sort_values("fraction")
    known = own["fraction"].to_numpy(dtype=float)
    found = np.interp(fractions, known, own["rise"].to_numpy(dtype=float))
    beyond = (fractions < known[0] - 1e-9) | (fractions > known[-1] + 1e-9)
    return np.where(beyond, np.inf, found)


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
