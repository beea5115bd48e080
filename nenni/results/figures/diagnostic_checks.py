"""The checks of whether attacks can be believed, a cell per network."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nenni.core.types import Inches, Name
from nenni.evaluation.scoring import ALL_CHECKS
from nenni.results.figure_style import grid

__all__ = ["diagnostic_checks"]

_EDGE = {"edgecolor": "#808080", "linewidth": 0.6}
_LOOKS: dict[str, dict[str, Any]] = {
    "pass": {"facecolor": "white", **_EDGE},
    "too few images": {"facecolor": "#F7F3D0", "hatch": "...", **_EDGE},
    "note": {"facecolor": "#D8D8D8", **_EDGE},
    "fail": {"facecolor": "#F0C0A0", "hatch": "///", **_EDGE},
}


def diagnostic_checks(
    diagnostics: pd.DataFrame, *, base: Name, width: Inches = 7.2, height: Inches = 5.0
) -> Figure:
    """Write each check's value and threshold, failed ones hatched.

    Parameters
    ----------
    diagnostics : DataFrame
        The rows of :func:`nenni.evaluation.diagnose.diagnose`, of all experiments.
    base : str
        Which base.
    width, height : float
        Inches.
    """
    here = diagnostics[diagnostics["base"] == base]
    networks = list(dict.fromkeys(zip(here["defence"], here["seed"], strict=True)))
    checks = sorted(dict.fromkeys(here["name"]), key=lambda name: name == ALL_CHECKS)
    figure, (axis,) = grid(1, width, height)
    for row in here.to_dict("records"):
        x, y = networks.index((row["defence"], row["seed"])), -checks.index(row["name"])
        verdict = row["verdict"]
        axis.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, **_LOOKS[verdict]))
        above = row["value"] > row["threshold"]
        text = f"{row['value']:.3f} {'>' if above else '≤'} {row['threshold']:.3f}"
        axis.text(
            x, y, text, ha="center", va="center", fontsize=8,
            bbox={"facecolor": _LOOKS[verdict]["facecolor"], "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    axis.set_xlim(-0.5, len(networks) - 0.5)
    axis.set_ylim(0.5 - len(checks), 0.5)
    axis.set_xticks(range(len(networks)), [f"{defence}, seed {seed}" for defence, seed in networks])
    axis.set_yticks([-i for i in range(len(checks))], checks)
    axis.tick_params(length=0)
    axis.grid(visible=False)
    axis.set_ylabel("check")
    axis.set_title(f"can the attacks be believed? base {base}: value and threshold")
    figure.legend(
        [Rectangle((0, 0), 1, 1, **look) for look in _LOOKS.values()],
        ["passed", "too few images to say", "failed, and decides nothing", "failed"],
        loc="outside lower center",
        ncols=4,
    )
    return figure
