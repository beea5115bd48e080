"""Tables of docs/deploy.md: times of deployed networks beside the best dense INT8."""

import pandas as pd

WHOLE = "whole network"
_SETTING = ["width", "batch", "threads"]


def whole(found: pd.DataFrame) -> pd.DataFrame:
    """One row per network, batch and number of threads: how many times as fast at each fraction."""
    here = found[found["layer"] == WHOLE]
    rows = []
    for (width, batch, threads), group in here.groupby(_SETTING, sort=False):
        dense = group["dense"].iloc[0] / group["torch"].iloc[0]
        row = {
            "width": width,
            "batch": batch,
            "threads": threads,
            "dense by our kernels": f"{dense:.2f}",
        }
        for _, one in group.iterrows():
            best = min(one["torch"], one["dense"])
            everywhere, chosen = best / one["skipping"], best / one["where_faster"]
            row[f"{one['fraction']:.0%} exact"] = f"{chosen:.2f} ({everywhere:.2f})"
        rows.append(row)
    return pd.DataFrame(rows)


def layers(found: pd.DataFrame, width: int) -> pd.DataFrame:
    """One row per layer of a network on one thread: how many times as fast, by batch and share."""
    here = found[(found["layer"] != WHOLE) & (found["width"] == width) & (found["threads"] == 1)]
    shown = here["over_best_dense"].map("{:.2f}".format)
    batch, share = here["batch"].astype(str), (100 * here["fraction"]).map("{:.0f} %".format)
    title = "batch " + batch + ", " + share
    table = pd.DataFrame({"layer": "`" + here["layer"] + "`", "title": title, "shown": shown})
    wide = table.pivot(index="layer", columns="title", values="shown")
    return wide.loc[table["layer"].unique(), title.unique()].reset_index()
