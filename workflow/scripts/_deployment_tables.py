"""Tables of docs/deploy.md: times of deployed networks beside the best dense INT8."""

import numpy as np
import pandas as pd

from nenni.cost.layer_bench import crossing

CLOSE = 0.25
"""Of the ratio that was measured: how far off a prediction may be."""
AS_TRAINED, LEARNED, SINGLE = "as trained", "learned", "single neurons"
ALONE = "1x"
"""Start of the name of tiles of one channel, to which an order means nothing."""
WHOLE = "whole network"
SCORES = {"mean": "mean of z~", "calibrated": "calibrated", "known": "z known"}
"""Column of the table of recall -> its title: by what tiles are chosen."""
_SETTING = ["width", "batch", "threads"]
AIMS = {0.5: 1.25, 0.25: 1.5}
"""Share of exact tiles -> how many times as fast a whole network is to be."""
NO_LOSS = 0.98
"""How many times as fast it is to be at any other share."""


def whole(found: pd.DataFrame) -> pd.DataFrame:
    """One row per processor, network, batch and number of threads: how many times as fast."""
    here = found[found["layer"] == WHOLE]
    rows = []
    for (device, width, batch, threads), group in here.groupby(["device", *_SETTING], sort=False):
        dense = group["dense"].iloc[0] / group["torch"].iloc[0]
        row = {
            "processor": device,
            "width": width,
            "batch": batch,
            "threads": threads,
            "dense by our kernels": f"{dense:.2f}",
        }
        for _, one in group.iterrows():
            best = min(one["torch"], one["dense"])
            everywhere, chosen = best / one["skipping"], best / one["where_faster"]
            bold = "**" if chosen < AIMS.get(one["fraction"], NO_LOSS) else ""
            row[f"{one['fraction']:.0%} exact"] = f"{bold}{chosen:.2f}{bold} ({everywhere:.2f})"
        if "torch_path" in group and group["torch_path"].notna().all():
            slower = best / group["torch_path"].iloc[-1]
            row[f"{group['fraction'].iloc[-1]:.0%} exact, by torch's products"] = f"{slower:.2f}"
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def repeated(found: pd.DataFrame) -> str:
    """The longest time of the dense network over its shortest, where that is furthest apart."""
    here = _here(found)
    same = here[here["layer"] == WHOLE].groupby(_SETTING)["dense"]
    return f"{(same.max() / same.min()).max():.2f}"


def layers(found: pd.DataFrame, width: int) -> pd.DataFrame:
    """One row per layer of a network on one thread: how many times as fast, by batch and share."""
    here = _here(found)
    here = here[(here["layer"] != WHOLE) & (here["width"] == width) & (here["threads"] == 1)]
    shown = here["over_best_dense"].map("{:.2f}".format)
    batch, share = here["batch"].astype(str), (100 * here["fraction"]).map("{:.0f} %".format)
    title = "batch " + batch + ", " + share
    table = pd.DataFrame({"layer": "`" + here["layer"] + "`", "title": title, "shown": shown})
    wide = table.pivot(index="layer", columns="title", values="shown")
    return wide.loc[table["layer"].unique(), title.unique()].reset_index()


def predicted(found: pd.DataFrame) -> pd.DataFrame:
    """One row per network and batch: how far the cost model's ratios lie from the measured ones."""
    off = (found["predicted"] / found["measured"] - 1).abs()
    rows = []
    for (width, batch), group in off.groupby([found["width"], found["batch"]], sort=False):
        here = found.loc[group.index]
        rows.append(
            {
                "width": width,
                "batch": batch,
                "layers x fractions": len(group),
                "measured, smallest to largest": _span(here["measured"]),
                "predicted": _span(here["predicted"]),
                "median error": f"{group.median():.0%}",
                f"within {CLOSE:.0%}": f"{(group <= CLOSE).mean():.0%}",
                "largest error": f"{group.max():.0%}",
            }
        )
    return pd.DataFrame(rows)


def crossings(found: pd.DataFrame) -> pd.DataFrame:
    """One row per network and batch: up to which share of exact tiles skipping wins, by layers.

    By :func:`nenni.cost.layer_bench.crossing`.
    """
    rows = []
    for (width, batch), of_network in found.groupby(["width", "batch"], sort=False):
        layers = [here for _, here in of_network.groupby("layer", sort=False)]
        both = np.array(
            [[_crossing(here, by) for by in ("measured", "predicted")] for here in layers]
        )
        wins = (both > 0).all(axis=1)
        off = np.abs(both[wins, 0] - both[wins, 1])
        shares = {
            title: f"{100 * np.median(v):.0f} % ({100 * v.min():.0f} to {100 * v.max():.0f})"
            for title, v in zip(("measured", "predicted"), both[wins].T, strict=True)
            if len(v)
        }
        rows.append(
            {
                "width": width,
                "batch": batch,
                "layers": len(layers),
                "never, by both": int((both == 0).all(axis=1).sum()),
                "they differ": int((~wins).sum() - (both == 0).all(axis=1).sum()),
                **shares,
                "median distance": f"{100 * np.median(off):.0f} points" if len(off) else "",
            }
        )
    return pd.DataFrame(rows).fillna("")


def _crossing(here: pd.DataFrame, by: str) -> float:
    return crossing(here["fraction"], 1 / here[by])


def limits(found: pd.DataFrame) -> pd.DataFrame:
    """One row per network, batch and share: how near its layers are to what a core can do.

    And how many times as fast as dense all of them together are, by their bounds and by the clock.
    """
    bounds = found[["products_s", "bytes_s"]].max(axis=1)
    sums = found.assign(bound=bounds).groupby(["width", "batch", "exact"], sort=False)
    both = sums[["bound", "measured_s"]].sum()
    rows = []
    for (width, batch, exact), here in sums:
        shares = here["of_bound"]
        dense, mine = both.loc[(width, batch, 1.0)], both.loc[(width, batch, exact)]
        row = {
            "width": width,
            "batch": batch,
            "exact": "dense" if exact == 1 else f"{exact:.0%}",
            "of the bound, median of layers": f"{shares.median():.0%}",
            "least": f"{shares.min():.0%}",
            "largest": f"{shares.max():.0%}",
            "times as fast, by the bounds": f"{dense['bound'] / mine['bound']:.2f}",
            "measured": f"{dense['measured_s'] / mine['measured_s']:.2f}",
        }
        rows.append(row)
    return pd.DataFrame(rows)


def slower_than_torch(found: pd.DataFrame) -> str:
    """Where whole dense networks take more time by our kernels than by torch's; maybe nowhere."""
    here = _here(found)
    here = here[here["layer"] == WHOLE]
    ratios = (here["dense"] / here["torch"]).groupby([here[of] for of in _SETTING], sort=False)
    slower = {setting: ratio for setting, ratio in ratios.max().items() if ratio > 1}
    return ", ".join(
        f"{ratio:.2f} times (width {width}, batch {batch}, {threads} thread{'s' * (threads > 1)})"
        for (width, batch, threads), ratio in slower.items()
    )


def by_torch_too(found: pd.DataFrame) -> str:
    """How much less time networks would take if torch computed the layers that it is faster in.

    At the most over batches, threads and shares, for each width: what moves codes between the
    layouts of the two would come on top.
    """
    here = _here(found)
    layers, whole = (here[(here["layer"] == WHOLE) == is_whole] for is_whole in (False, True))
    of = [*_SETTING, "fraction"]
    now, best = (
        layers[kernels].min(axis=1).groupby([layers[key] for key in of], sort=False).sum()
        for kernels in (["dense", "skipping"], ["dense", "skipping", "torch"])
    )
    saved = (now - best) / whole.set_index(of)["where_faster"]
    most = saved.groupby("width", sort=False).max()
    return " and ".join(f"{share:.0%} (width {width})" for width, share in most.items())


def held(found: pd.DataFrame) -> pd.DataFrame:
    """One row per tile and share: the mean recall over layers, by the order and by the score."""
    mean = found.groupby(["tile", "fraction", "order"], sort=False)[[*SCORES]].mean()
    wide = mean.unstack("order").swaplevel(axis=1)
    orders = list(dict.fromkeys(found["order"]))
    table = pd.DataFrame(index=wide.index)
    for order in orders:
        for score, title in SCORES.items():
            table[f"{order}, {title}"] = wide[order][score].map("{:.3f}".format)
    table = table.reset_index()
    table["fraction"] = table["fraction"].map("{:.0%}".format)
    return table.rename(columns={"fraction": "exact"})


def gained(found: pd.DataFrame, by: str) -> str:
    """Points of recall that tiles gain, least to most: by the order, or by another score in it."""
    tiles = found[(found["tile"] != SINGLE) & ~found["tile"].str.startswith(ALONE)]
    mean = tiles.groupby(["tile", "fraction", "order"])[[*SCORES]].mean()
    learned, trained = (mean.xs(order, level="order") for order in (LEARNED, AS_TRAINED))
    more = learned["mean"] - trained["mean"] if by == "order" else learned[by] - learned["mean"]
    return f"{100 * more.min():.1f} to {100 * more.max():.1f}"


def touched(found: pd.DataFrame, tile: str) -> str:
    """Share of tiles that hold any of so many single neurons, mean over layers, least to most."""
    here = found[found["tile"] == tile].groupby(["order", "fraction"])["touched"].mean()
    return " to ".join(dict.fromkeys(f"{100 * share:.1f} %" for share in (here.min(), here.max())))


def accuracy_gained(found: pd.DataFrame) -> str:
    """Points of accuracy that tiles gain by the order, and whether intervals lie apart."""
    keys = ["tile", "fraction"]
    learned, trained = (found[found["order"] == of].set_index(keys) for of in (LEARNED, AS_TRAINED))
    trained = trained.loc[learned.index]
    more = 100 * (learned["accuracy"] - trained["accuracy"])
    apart = ((learned["low"] > trained["high"]) | (learned["high"] < trained["low"])).sum()
    where = "nowhere" if not apart else "everywhere" if apart == len(more) else "in part"
    return (
        f"{more.min():.1f} to {more.max():.1f} points of accuracy, {where} more than the intervals"
    )


def tiled(found: pd.DataFrame) -> pd.DataFrame:
    """One row per tile and order: clean accuracy with its interval at each share."""
    of = "{accuracy:.1%} [{low:.1%}, {high:.1%}]".format
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for row in found.to_dict("records"):
        title = "all exact" if row["tile"] == "none" else f"{row['fraction']:.0%} exact"
        rows.setdefault((row["tile"], row["order"]), {})[title] = of(**row)
    table = pd.DataFrame([{"tile": t, "order": o} | cells for (t, o), cells in rows.items()])
    return table.fillna("")


def _here(found: pd.DataFrame) -> pd.DataFrame:
    """Rows of the first device."""
    return found[found["device"] == found["device"].iloc[0]]


def _span(values: "pd.Series[float]") -> str:
    return f"{values.min():.2f} to {values.max():.2f}"
