"""How much each layer suffers from noise on its least neurons, as the profile found."""

import pandas as pd
from matplotlib.figure import Figure

from nenni.core.types import Inches, Name
from nenni.results.figure_style import grid, look

__all__ = ["layer_sensitivities"]


def layer_sensitivities(
    sensitivities: pd.DataFrame, *, base: Name, width: Inches = 7.2, height: Inches = 2.6
) -> Figure:
    """Draw the rise in loss against the share of neurons that are spared, a panel per layer.

    One layer has noise at a time, and all others are exact; the mean over the seeds. The scale is
    linear up to 0.01, where rises may be falls, and logarithmic above.

    Parameters
    ----------
    sensitivities : DataFrame
        From :func:`nenni.method.profile.sensitivities`, of all bases.
    base : str
        Which base.
    width, height : float
        Inches, of the figure and of a panel.
    """
    here = sensitivities[sensitivities["base"] == base]
    layers = list(dict.fromkeys(here["layer"]))
    labels = {noise: f"{noise:g}" for noise in sorted(here["noise"].unique())}
    styles = look(list(labels.values()))
    figure, axes = grid(len(layers), width, height)
    for axis, layer in zip(axes, layers, strict=True):
        mean = here[here["layer"] == layer].groupby(["noise", "fraction"])["rise"].mean()
        for noise, label in labels.items():
            line = mean.loc[noise]
            axis.plot(line.index, line.to_numpy(), label=label, markersize=4, **styles[label])
        axis.set_yscale("symlog", linthresh=0.01)
        axis.set_title(layer)
        axis.set_xlabel("share of neurons spared")
        axis.set_ylabel("rise in loss")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=len(labels),
        title=f"deviation of the noise over rms(z), base {base}",
    )  # fmt: skip
    return figure
