"""Networks whose tiles are skipped beside smaller dense ones: table, words and picture."""

from pathlib import Path

import pandas as pd
from _words import count, percent

from nenni.results.figure_style import grid, look, prepare, save_png

DENSE, WORST = "int8", "all attacks"
DEPLOYED, SIMULATED = "deployed", "simulation"
SETTING = {"batch": 64, "threads": 1}
"""In which times are compared."""
AS_FAST = 1.02
"""Two times are the same up to this factor."""
KEYS = ["base", "defence"]


def networks(accuracy: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """One row per network, the fastest first.

    ``seconds`` of a batch by its fastest kernel in :data:`SETTING`, ``speed`` as the times of the
    widest dense network, ``clean`` and ``least`` with their intervals, and whether it is ``dense``.
    """
    here = times[(times[[*SETTING]] == [*SETTING.values()]).all(axis=1)]
    found = here.assign(seconds=here[["ours", "torch"]].min(axis=1))[[*KEYS, "seconds"]]
    for name, network, attack in (("clean", DEPLOYED, "clean"), ("least", SIMULATED, WORST)):
        of = accuracy[(accuracy["network"] == network) & (accuracy["attack"] == attack)]
        columns = {"accuracy": name, "low": f"{name}_low", "high": f"{name}_high"}
        found = found.merge(of.rename(columns=columns)[[*KEYS, *columns.values()]], on=KEYS)
    found["dense"] = found["defence"] == DENSE
    widest = found.loc[found["dense"], "seconds"].max()
    found["speed"] = widest / found["seconds"]
    return found.sort_values("seconds", ignore_index=True)


def rivals(found: pd.DataFrame) -> pd.DataFrame:
    """For each network with tiles the slowest dense one that takes no more time; "" for none."""
    dense = found[found["dense"]].set_index("base")
    tiles = found[~found["dense"]].copy()
    within = [dense[dense["seconds"] <= AS_FAST * t]["seconds"] for t in tiles["seconds"]]
    tiles["rival"] = [times.idxmax() if len(times) else "" for times in within]
    for part in ("clean", "least"):
        tiles[f"{part}_of_rival"] = tiles["rival"].map(dense[part])
    return tiles


def sentence(found: pd.DataFrame) -> str:
    """Which wins, tiles that are skipped or a smaller dense network of no more time."""
    met = rivals(found)
    met = met[met["rival"] != ""]
    n = len(met)
    ahead = (met["clean_of_rival"] >= met["clean"]) & (met["least_of_rival"] >= met["least"])
    behind = (met["clean_of_rival"] < met["clean"]) & (met["least_of_rival"] < met["least"])
    told = (
        f"of {count(n)} network{'' if n == 1 else 's'} with tiles {count(ahead.sum())} met a "
        "smaller dense network of 8 bits that takes no more time and is at least as accurate, both "
        f"clean and under all attacks, and {count(behind.sum())} were more accurate in both than "
        "the largest such one"
    )
    if n and ahead.all():
        return f"The smaller dense network wins: {told}."
    if n and behind.all():
        return f"Tiles that are skipped win: {told}."
    return f"Neither wins everywhere: {told}."


def table(accuracy: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """The networks as a reader wants them."""
    found = networks(accuracy, times)
    rival = rivals(found).set_index(KEYS)["rival"]
    same = accuracy.drop_duplicates(KEYS).set_index(KEYS)["same"]
    by_scores = accuracy[(accuracy["network"] == DEPLOYED) & (accuracy["attack"] == WORST)]
    by_scores = by_scores.set_index(KEYS)["accuracy"]
    rows = []
    for row in found.to_dict("records"):
        key = row["base"], row["defence"]
        rows.append(
            {
                "network": _named(*key),
                "times as fast": f"{row['speed']:.2f}",
                "clean": _interval(row, "clean"),
                "all attacks": _interval(row, "least"),
                "Square and transfer on the deployed one": percent(by_scores[key]),
                "same predictions": percent(same[key]),
                "dense rival": "" if row["dense"] else _rival(rival[key]),
            }
        )
    return pd.DataFrame(rows)


def draw(accuracy: pd.DataFrame, times: pd.DataFrame, file: Path) -> None:
    """Accuracy against time, clean and under all attacks."""
    prepare()
    found = networks(accuracy, times)
    width = found["base"].str.replace("_", " ")
    found["series"] = ("tiles, " + width).mask(found["dense"], "dense INT8, by width")
    styles = look(sorted(found["series"].unique()))
    figure, axes = grid(2, 7.2, 3.0, columns=2)
    for axis, (part, title) in zip(axes, {"clean": "clean", "least": WORST}.items(), strict=True):
        for series, rows in found.groupby("series", sort=True):
            middle = 100 * rows[part]
            reach = [middle - 100 * rows[f"{part}_low"], 100 * rows[f"{part}_high"] - middle]
            style = styles[str(series)] | ({} if rows["dense"].all() else {"linestyle": "none"})
            axis.errorbar(1 / rows["speed"], middle, reach, label=series, elinewidth=0.8, **style)
            for x, y, of in zip(1 / rows["speed"], middle, rows.to_dict("records"), strict=True):
                text = of["base"].rpartition("_")[2] if of["dense"] else of["defence"][6:]
                text = text.replace("_", " ")
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


def _rival(base: str) -> str:
    return base.replace("_", " ") or "none as fast"
