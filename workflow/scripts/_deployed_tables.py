"""Networks whose tiles are skipped beside smaller dense ones: table, words and picture."""

from pathlib import Path

import pandas as pd
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
    return (
        f"{verdict}: of {n} networks with tiles {beaten} take at least the time of a smaller dense "
        "network of 8 bits that is no less accurate clean, under PGD-20 and under all attacks; "
        f"{ahead} are more accurate in all three than each smaller dense network as fast; for "
        f"{alone} there is none as fast."
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


def draw(accuracy: pd.DataFrame, times: pd.DataFrame, file: Path) -> None:
    """Each accuracy against time."""
    prepare()
    found = networks(accuracy, times)
    width = found["base"].str.replace("_", " ")
    found["series"] = ("tiles, " + width).mask(found["dense"], "dense INT8, by width")
    styles = look(sorted(found["series"].unique()))
    figure, axes = grid(len(ACCURACIES), 7.2, 3.0, columns=len(ACCURACIES))
    for axis, (part, title) in zip(axes, NAMED.items(), strict=True):
        for series, rows in found.groupby("series", sort=True):
            middle = 100 * rows[part]
            reach = [middle - 100 * rows[f"{part}_low"], 100 * rows[f"{part}_high"] - middle]
            style = styles[str(series)] | ({} if rows["dense"].all() else {"linestyle": "none"})
            axis.errorbar(1 / rows["speed"], middle, reach, label=series, elinewidth=0.8, **style)
            for x, y, of in zip(1 / rows["speed"], middle, rows.to_dict("records"), strict=True):
                tiles = of["defence"].removeprefix("tiles_").replace("_", " ")
                text = str(of["width"]) if of["dense"] else tiles
                axis.annotate(text, (x, y), (4, 4), textcoords="offset points", fontsize=7)
        axis.set_title(title)
        axis.set_xlabel("time over dense INT8 of the widest")
        axis.set_ylabel("accuracy (%)")
        axis.set_xlim(left=0)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    save_png(figure, file)


def _named(base: str, defence: str) -> str:
    width = base.replace("_", " ")
    return f"{width}, dense INT8" if defence == DENSE else f"{width}, `{defence}`"


def _interval(row: dict[str, float], part: str) -> str:
    low, high = (percent(row[f"{part}_{end}"]) for end in ("low", "high"))
    return f"{percent(row[part])} ({low} to {high})"
