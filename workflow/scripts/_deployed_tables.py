"""Networks whose tiles are skipped beside smaller dense ones: table, words and picture."""

import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
from _found_words import points
from _words import percent

from nenni.results.figure_style import grid, look, prepare, save_png

DENSE, PGD, WORST = "int8", "pgd_20", "all attacks"
DEPLOYED, SIMULATED = "deployed", "simulation"
SETTING = {"batch": 64, "threads": 1}
"""In which times are compared."""
ACCURACIES = {
    "clean": (DEPLOYED, "clean"), "pgd": (SIMULATED, PGD), "least": (SIMULATED, WORST),
}  # fmt: skip
"""What a network is judged by: of which network, under which attack."""
NAMED = {"clean": "clean", "pgd": "PGD-20", "least": WORST}
AS_FAST = 1.02
"""Two times are the same up to this factor."""
KEYS = ["base", "defence"]
TILES = re.compile(r"^tiles_(?P<share>\d+)(?:_(?P<how>\w+))?$")
"""Name of a defence: its share of exact tiles in per cent, and what else it is."""
GIVEN, SAME_TRAINING = "none", "none_ft"
"""The network before fine-tuning, and fine-tuned without tiles and without roundings."""
LOSSES = {0.5: 0.01, 0.25: 0.02}
"""Share of exact tiles -> how much clean accuracy may be lost against :data:`SAME_TRAINING`."""
MEASURES = {"clean": "clean", "pgd_20": "PGD-20"}


def told(accuracy: pd.DataFrame, times: pd.DataFrame, controls: pd.DataFrame) -> dict[str, Any]:
    """What docs/deploy.md says of them."""
    found = networks(accuracy, times)
    widths = sorted(found["width"].unique(), reverse=True)
    return {
        "who_wins": sentence(found),
        "networks": len(found),
        "widths": f"{', '.join(map(str, widths[:-1]))} and {widths[-1]}",
        "setting": SETTING,
        "as_fast": AS_FAST,
        "table": table(accuracy, times),
        "losses": LOSSES,
        "control": SAME_TRAINING,
        "after_training": after_training(controls),
    }


def networks(accuracy: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """One row per network, the fastest first, on the first device that times were measured on.

    ``seconds`` of a batch by its fastest kernel in :data:`SETTING`, ``speed`` as the times of the
    widest dense network, each of :data:`ACCURACIES` with its interval, ``width`` of its base, and
    whether it is ``dense``.
    """
    asked = {"device": times["device"].iloc[0]} | SETTING
    here = times[(times[[*asked]] == [*asked.values()]).all(axis=1)]
    found = here.assign(seconds=here[["ours", "torch"]].min(axis=1))[[*KEYS, "seconds"]]
    for name, (network, attack) in ACCURACIES.items():
        of = accuracy[(accuracy["network"] == network) & (accuracy["attack"] == attack)]
        columns = {"accuracy": name, "low": f"{name}_low", "high": f"{name}_high"}
        found = found.merge(of.rename(columns=columns)[[*KEYS, *columns.values()]], on=KEYS)
    found["dense"] = found["defence"] == DENSE
    found["width"] = found["base"].str.rpartition("_")[2].astype(int)
    dense = found[found["dense"]].set_index("width")["seconds"]
    found["speed"] = dense[dense.index == dense.index.max()].max() / found["seconds"]
    return found.sort_values("seconds", ignore_index=True)


def rivals(found: pd.DataFrame) -> pd.DataFrame:
    """Networks with tiles, each beside the smaller dense ones that take no more time.

    ``beaten_by`` has the widths of those that are no less accurate by any of :data:`ACCURACIES`;
    ``ahead`` says whether it is the more accurate by all than each of them, ``alone`` whether there
    is none.
    """
    dense, tiles = found[found["dense"]], found[~found["dense"]]
    rows = []
    for t in tiles.to_dict("records"):
        as_fast = dense["seconds"] <= AS_FAST * t["seconds"]
        met = dense[as_fast & (dense["width"] < t["width"])]
        more = met[[*ACCURACIES]] - [t[by] for by in ACCURACIES]
        beaten = met[(more >= 0).all(axis=1)]["width"].sort_values()
        ahead = len(met) > 0 and bool((more < 0).all(axis=None))
        about = {"beaten_by": [*beaten], "ahead": ahead, "alone": met.empty}
        rows.append({key: t[key] for key in KEYS} | about)
    return pd.DataFrame(rows, columns=[*KEYS, "beaten_by", "ahead", "alone"])


def sentence(found: pd.DataFrame) -> str:
    """Which wins, tiles that are skipped or a smaller dense network of no more time."""
    met = rivals(found)
    n, beaten = len(met), int(met["beaten_by"].map(bool).sum())
    ahead, alone = int(met["ahead"].sum()), int(met["alone"].sum())
    verdict = "Neither wins everywhere"
    if n and beaten == n:
        verdict = "The smaller dense network wins"
    elif n and ahead == n:
        verdict = "Tiles that are skipped win"
    elif ahead == alone == 0:
        verdict = "Tiles that are skipped win nowhere"
    return (
        f"{verdict}: of {n} networks with tiles {beaten or 'none'} take as long as a smaller dense "
        "network of 8 bits or longer and are no more accurate than it clean, under PGD-20 and "
        f"under all attacks; {ahead or 'none'} are more accurate by all three than every smaller "
        f"dense network as fast; {alone or 'none'} are faster than every one."
    )


def table(accuracy: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """The networks as a reader wants them."""
    found = networks(accuracy, times)
    met = rivals(found).set_index(KEYS)
    same = accuracy.drop_duplicates(KEYS).set_index(KEYS)["same"]
    by_scores = accuracy[(accuracy["network"] == DEPLOYED) & (accuracy["attack"] == WORST)]
    by_scores = by_scores.set_index(KEYS)["accuracy"]
    rows = []
    for row in found.to_dict("records"):
        key = row["base"], row["defence"]
        beaten = [] if row["dense"] else met["beaten_by"][key]
        rows.append(
            {
                "network": _named(*key),
                "times as fast": f"{row['speed']:.2f}",
                **{NAMED[by]: _interval(row, by) for by in ACCURACIES},
                "Square and transfer on the deployed one": percent(by_scores[key]),
                "same predictions": percent(same[key]),
                "no better than dense of width": ", ".join(map(str, beaten)),
            }
        )
    return pd.DataFrame(rows)


def after_training(controls: pd.DataFrame) -> pd.DataFrame:
    """Networks with tiles less others of the same training, in points; bold what misses the aim.

    Those of the widest base come first.

    Parameters
    ----------
    controls : DataFrame
        The run's table of that name.
    """
    rows = []
    trained = controls[controls["control"] != GIVEN]
    trained = trained.sort_values("base", kind="stable", ascending=False)
    for (base, defence, control), here in trained.groupby([*KEYS, "control"], sort=False):
        by = here.set_index("measure")
        cells = {title: points(by.loc[measure]) for measure, title in MEASURES.items()}
        share = int(TILES.sub(r"\g<share>", defence)) / 100
        allowed = LOSSES.get(share, math.inf) if control == SAME_TRAINING else math.inf
        if by.loc["clean", "difference"] < -allowed:
            cells["clean"] = f"**{cells['clean']}**"
        width = base.replace("_", " ")
        rows.append({"network": f"{width}, `{defence}`", "less": f"`{control}`"} | cells)
    return pd.DataFrame(rows)


def draw(accuracy: pd.DataFrame, times: pd.DataFrame, file: Path) -> None:
    """Each accuracy against time; tiles are named by their share of exact ones in per cent."""
    prepare()
    found = networks(accuracy, times)
    kinds = found["defence"].str.extract(TILES)
    how = kinds["how"].map({"as_trained": "not ordered", "alloc": "allocated"})
    found["label"] = kinds["share"].fillna(found["width"].astype(str))
    tiles = "tiles, width " + found["width"].astype(str) + (", " + how).fillna("")
    found["series"] = tiles.mask(found["dense"], "dense INT8, by width")
    styles = look(sorted(found["series"].unique()))
    figure, axes = grid(len(ACCURACIES), 7.2, 3.6, columns=len(ACCURACIES))
    for axis, (part, title) in zip(axes, NAMED.items(), strict=True):
        for series, rows in found.groupby("series", sort=True):
            middle = 100 * rows[part]
            reach = [middle - 100 * rows[f"{part}_low"], 100 * rows[f"{part}_high"] - middle]
            dense = bool(rows["dense"].all())
            style = styles[str(series)] | ({} if dense else {"linestyle": "none"})
            axis.errorbar(1 / rows["speed"], middle, reach, label=series, elinewidth=0.6, **style)
            side = {"xytext": (-4, 3), "ha": "right"} if dense else {"xytext": (4, -3)}
            for x, y, label in zip(1 / rows["speed"], middle, rows["label"], strict=True):
                about: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7} | side
                axis.annotate(label, (x, y), color=style["color"], **about)
        axis.set_title(title)
        axis.set_xlim(left=0)
    axes[0].set_ylabel("accuracy (%)")
    axes[len(axes) // 2].set_xlabel("time of a batch over that of the widest dense INT8")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    save_png(figure, file)


def _named(base: str, defence: str) -> str:
    width = base.replace("_", " ")
    return f"{width}, dense INT8" if defence == DENSE else f"{width}, `{defence}`"


def _interval(row: dict[str, float], part: str) -> str:
    low, high = (percent(row[f"{part}_{end}"]) for end in ("low", "high"))
    return f"{percent(row[part])} ({low} to {high})"
