"""From the tables of a run to what people read of them: means over seeds, cells with intervals."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from nenni.core import radius
from nenni.results.accuracy import ALL
from nenni.results.comparison import ratios
from nenni.results.main_columns import CLEAN, LATENCY, of_accuracy, of_bitops, titles_among
from nenni.results.page.tables import Cell, change, points, share, spelt
from nenni.results.page.trade_off import radius_of

_NETWORK = ["base", "defence"]
_MEGA, _MICRO, _NANOJOULE = 1e-6, 1e6, 1e-3


def main(table: pd.DataFrame) -> pd.DataFrame:
    """The main table: accuracies with intervals, change of BitOPs and of modelled time."""
    shown = at_radius(table[["defence", "base", "norm", "eps"]])
    for title in dict.fromkeys((CLEAN, *titles_among(table.columns))):
        mean, _, low, high, *_ = of_accuracy(title)
        shown[spelt(title)] = [
            share(*values) for values in table[[mean, low, high]].itertuples(index=False)
        ]
    for baseline in ("fp32", "int8"):
        for part, overheads in (("with", "with"), ("without", "without")):
            column = of_bitops(baseline, part, "")
            title = f"BitOPs against {baseline.upper()}, {overheads} overheads"
            shown[title] = [change(value) for value in table[column]]
    for column in table.columns[table.columns.str.startswith(LATENCY)]:
        title = f"modelled time on {column.removeprefix(LATENCY)}"
        shown[title] = [change(1 - value) for value in table[column]]
    return shown


def comparison(table: pd.DataFrame) -> pd.DataFrame:
    """The comparison: accuracies with intervals and images, and ratios of costs."""
    shown = at_radius(table[["defence", "base", "norm", "eps"]])
    for title in titles_among(table.columns):
        cells = table[[title, f"{title}_low", f"{title}_high"]]
        shown[spelt(title)] = [share(*values) for values in cells.itertuples(index=False)]
        shown[f"{spelt(title)}: images"] = table[f"{title}_n"]
    if "least_suite" in table:
        shown["least of suite"] = table["least_suite"].fillna("")
        shown["attacks of that"] = table["least_attacks"]
    for column, title in ratios(table).items():
        shown[title] = table[column]
    return shown


def controls(table: pd.DataFrame) -> pd.DataFrame:
    """Differences with their intervals, and what both came to."""
    return with_interval(at_radius(table), "difference", points)


def pooled(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """A row for all seeds in place of one for each, whose values stand in a column of their own."""
    keys = [c for c in (*_NETWORK, "control", "evaluation", "norm", "eps") if c in table]
    single = table[table["seed"] != ALL]
    texts = single["seed"].astype(str) + ": " + (100 * single[value]).map("{:.1f}".format)
    each = texts.groupby([single[key] for key in keys], sort=False).agg(", ".join)
    found = table[table["seed"] == ALL].drop(columns=["seed"])
    index = pd.MultiIndex.from_frame(found[keys])
    found = found.assign(**{"every seed": each.reindex(index).to_numpy()})
    write = points if value == "difference" else share
    return with_interval(at_radius(found), value, write).dropna(axis="columns", how="all")


def claims(table: pd.DataFrame) -> pd.DataFrame:
    """Verdict and reason first, and all other columns as they come."""
    first = [column for column in ("verdict", "reason") if column in table]
    shown = table[[*first, *(column for column in table if column not in first)]]
    if {"measured", "low", "high"} <= set(shown):
        shown = with_interval(shown, "measured", points)
    return shown


def suites(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracies with radii and intervals as people read them."""
    return with_interval(at_radius(table), "accuracy", share).dropna(axis="columns", how="all")


def with_interval(
    table: pd.DataFrame, value: str, write: Callable[[float, float, float], Cell]
) -> pd.DataFrame:
    """One column for a number and its interval."""
    cells = [write(*row) for row in table[[value, "low", "high"]].itertuples(index=False)]
    return table.assign(**{value: cells}).drop(columns=["low", "high"])


def at_radius(table: pd.DataFrame) -> pd.DataFrame:
    """One column for the radius as people read it, in place of ``norm`` and ``eps``."""
    if not {"norm", "eps"} <= set(table):
        return table
    read = [
        Cell("none" if row.eps == 0 else radius_of(row), radius.to_read(row.eps, row.norm))
        for row in table.itertuples()
    ]
    place = table.columns.get_loc("norm")
    shown = table.drop(columns=["norm", "eps"])
    shown.insert(place, "radius", read)
    return shown


def bitops(operations: pd.DataFrame, reductions: pd.DataFrame) -> pd.DataFrame:
    """BitOPs of each layer by term in millions, the plain layer beside it; mean over the seeds."""
    keys = [*_NETWORK, "layer"]
    terms = list(dict.fromkeys(operations["term"]))
    layers = _mean(operations, [*keys, "term"], ["bitops"])["bitops"].unstack("term")
    whole = (
        layers.groupby(level=_NETWORK).sum().assign(layer="total").set_index("layer", append=True)
    )
    sums = pd.concat([layers, whole])
    plain = reductions[reductions["variant"] == "as_evaluated"]
    fp32 = plain[plain["baseline"] == "fp32"]
    total = _mean(fp32, keys, ["dense_bitops", "bitops_with", "reduction_with"])
    shown = _MEGA * sums.reindex(total.index)[terms].add_suffix(" (M)")
    shown.insert(0, "plain FP32 (M)", _MEGA * total["dense_bitops"])
    shown["all (M)"] = _MEGA * total["bitops_with"]
    for baseline, rows in plain.groupby("baseline", sort=False):
        reduction = _mean(rows, keys, ["reduction_with"])["reduction_with"]
        shown[f"against {str(baseline).upper()}"] = reduction.reindex(total.index).map(change)
    return shown.reset_index()


def latency(table: pd.DataFrame) -> pd.DataFrame:
    """Modelled microseconds of each layer and platform; mean over the seeds."""
    keys = [*_NETWORK, "preset", "layer"]
    times = [column for column in table if str(column).endswith("_s")]
    mean = _mean(table, keys, times)
    plain = mean["dense_fp32_s"].fillna(mean["dense_fp16_s"])
    shown = (_MICRO * mean).rename(columns=lambda c: f"{spelt(c.removesuffix('_s'))} (µs)")
    shown["change"] = (1 - mean["injected_s"] / plain).map(change)
    return shown.dropna(axis="columns", how="all").reset_index()


def energy(table: pd.DataFrame) -> pd.DataFrame:
    """Modelled nanojoules of each layer and platform, plain and defended; mean over the seeds.

    A table may tell no platforms apart, as those of earlier versions do.
    """
    keys = [key for key in (*_NETWORK, "preset", "bits", "layer") if key in table]
    columns = [column for column in table if str(column).endswith("_pj")]
    mean = _mean(table, keys, [*columns, "reduction"])
    shown = pd.DataFrame(index=mean.index)
    for which, title in (("dense", "plain"), ("injected", "with the defence")):
        parts = [column for column in columns if str(column).startswith(which)]
        shown[f"{title} (nJ)"] = _NANOJOULE * mean[parts].sum(axis=1)
    shown["change"] = mean["reduction"].map(change)
    return shown.reset_index()


def verdicts(table: pd.DataFrame, main: pd.DataFrame | None) -> pd.DataFrame:
    """The ways to run each network of the first seed, with their clean accuracy where it is known.

    That is the defence's own for the method as it was evaluated, and that of the network without
    a defence for dense FP32.
    """
    least = table.groupby(_NETWORK)["seed"].transform("min")
    first = table[table["seed"] == least]
    injected = first[first["way"] == "this method"].set_index(_NETWORK).index
    first = first[pd.MultiIndex.from_frame(first[_NETWORK]).isin(injected)]
    clean = {} if main is None else main.set_index(_NETWORK)[of_accuracy(CLEAN)[0]].to_dict()
    rows = []
    for row in first.to_dict("records"):
        network = {"this method": row["defence"], "dense FP32": "none"}.get(row["way"])
        accuracy = clean.get((row["base"], network))
        if pd.isna(row["speedup"]):
            speedup = Cell(str(row["lacks"]))
        else:
            ends = row["speedup_low"], row["speedup_high"]
            speedup = Cell("{:.2f} [{:.2f}, {:.2f}]".format(row["speedup"], *ends), row["speedup"])
        area = Cell("") if pd.isna(row["area"]) else Cell(f"{row['area']:.2f}", row["area"])
        saved = (row[f"energy_saved{end}"] for end in ("", "_low", "_high"))
        rows.append(
            {key: row[key] for key in (*_NETWORK, "preset", "way")}
            | {"times as fast": speedup, "energy saved": share(*saved), "area": area}
            | {"clean accuracy": Cell("not measured") if accuracy is None else share(accuracy)}
            | {key.replace("_", " the "): _told(row[key]) for key in ("turns_time", "turns_energy")}
        )
    return pd.DataFrame(rows)


def _told(value: Any) -> Cell:
    return Cell("" if pd.isna(value) else str(value))


def mean_over_seeds(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The mean of all numbers over the seeds, a row for each of the keys."""
    numbers = [c for c in table.select_dtypes("number") if c not in ("seed", *keys)]
    return _mean(table, [k for k in keys if k in table], numbers).reset_index()


def _mean(table: pd.DataFrame, keys: list[str], values: list[Any]) -> pd.DataFrame:
    return table.groupby(keys, sort=False)[values].mean()
