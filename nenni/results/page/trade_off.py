"""From a run's tables to what its picture shows: accuracies under each attack, and costs."""

from itertools import chain
from typing import Any

import pandas as pd

from nenni.core import radius
from nenni.core.types import Norm
from nenni.evaluation.scoring import WORST
from nenni.evaluation.suite_result import CLEAN as CLEAN_OF_SUITE
from nenni.results.accuracy import ALL, ANY
from nenni.results.main_columns import (
    BASELINES,
    CLEAN,
    LATENCY,
    WHERE,
    of_accuracy,
    of_bitops,
    titles_among,
)
from nenni.results.page.chart import Point, TradeOff

NORMS: dict[Norm, str] = {"linf": "L∞", "l2": "L2"}
Row = Any
"""A row of a table, whose columns are attributes."""
Costs = dict[str, dict[str, float]]


def trade_off(
    main: pd.DataFrame, suites: pd.DataFrame | None = None, energy: pd.DataFrame | None = None
) -> TradeOff:
    """Accuracies and costs of all networks of a run.

    Of each base the strongest attacks come first: whole suites, then the columns of the main table
    by their mean accuracy; then each attack of a suite, and clean images last.

    Parameters
    ----------
    main : DataFrame
        From :func:`nenni.results.main_table.main_table`.
    suites : DataFrame or None
        Accuracy under every attack of the run's suites.
    energy : DataFrame or None
        The cost model's energies of all experiments.
    """
    titles = [title for title in titles_among(main.columns) if title != CLEAN]
    points: list[Point] = []
    for base, rows in main.groupby("base", sort=False):
        whole, single = _of_suites(None if suites is None else suites[suites["base"] == base])
        columns = sorted(filter(None, (_of_column(rows, title) for title in titles)), key=_mean)
        points += [*whole, *chain(*columns), *single, *_of_column(rows, CLEAN)]
    names = {_network(row): str(row.defence) for row in main.itertuples()}
    return TradeOff(points, names, _costs(main, energy))


def radius_of(row: Row) -> str:
    """The radius of a table's row with its norm, ``L∞ 8/255``."""
    return f"{NORMS[row.norm]} {radius.shown(row.eps, row.norm)}"


def _network(row: Row) -> str:
    return f"{row.base}/{row.defence}"


def _mean(points: list[Point]) -> float:
    return sum(point.accuracy for point in points) / len(points)


def _of_column(main: pd.DataFrame, title: str) -> list[Point]:
    """Each network of a base under one attack of the main table."""
    points = []
    for row in main[main[title].notna()].to_dict("records"):
        network = pd.Series(row)
        name = title.removesuffix(ANY) + (", worst point tried" if title.endswith(ANY) else "")
        attack = "clean images" if title == CLEAN else f"{name}, {radius_of(network)}"
        mean, _, low, high, seeds, images = (row[column] for column in of_accuracy(title))
        single = {s: float(a) for s, _, a in (x.partition(":") for x in str(seeds).split())}
        points.append(_point(network, attack, (mean, low, high), images, single))
    return points


def _of_suites(suites: pd.DataFrame | None) -> tuple[list[Point], list[Point]]:
    """Each network under all attacks of a suite, on the most images, and under each of them."""
    whole: list[Point] = []
    single: list[Point] = []
    if suites is None:
        return whole, single
    keys = ["suite", "norm", "attack"]
    under = suites[suites["attack"] != CLEAN_OF_SUITE]
    most = under.groupby([*keys, "defence"])["n"].transform("max")
    for (suite, _, attack), rows in under[under["n"] == most].groupby(keys, sort=False):
        name = f"{attack} of suite {suite}, {radius_of(rows.iloc[0])}"
        found = [_over_seeds(seeds, name) for _, seeds in rows.groupby("defence", sort=False)]
        (whole if attack == WORST else single).extend(found)
    return whole, single


def _over_seeds(rows: pd.DataFrame, attack: str) -> Point:
    """A network's one seed with its interval; of several the mean, with one if it is known."""
    single = {str(row.seed): row.accuracy for row in rows.itertuples() if row.seed != ALL}
    nothing = float("nan")
    found = rows.iloc[0]
    values = (found["accuracy"], found["low"], found["high"])
    if len(single) > 1:
        pooled = rows[rows["seed"] == ALL]
        found = rows.iloc[0] if pooled.empty else pooled.iloc[0]
        values = (found["accuracy"], found["low"], found["high"])
        if pooled.empty:
            values = (sum(single.values()) / len(single), nothing, nothing)
    return _point(found, attack, values, found["n"], single)


def _point(
    row: Row, attack: str, values: tuple[float, float, float], images: int, seeds: dict[str, float]
) -> Point:
    accuracy, low, high = (None if pd.isna(v) else round(100 * float(v), 2) for v in values)
    assert accuracy is not None
    return Point(
        _network(row),
        f"{row.base}: {attack}",
        accuracy,
        low,
        high,
        int(images),
        [round(100 * value, 2) for value in seeds.values()],
        ", ".join(f"{seed}: {100 * value:.1f}" for seed, value in seeds.items()),
    )


def _costs(main: pd.DataFrame, energy: pd.DataFrame | None) -> Costs:
    """Cost in words -> network -> that, in % of the plain network; only what is known of any."""
    found: dict[str, pd.Series[float]] = {}
    for suffix in ("", "_assumed"):
        for baseline in BASELINES:
            for part, overheads in (("with", "counted"), ("without", "left out")):
                reduction = main[of_bitops(baseline, part, suffix)]
                same = suffix and (reduction == main[of_bitops(baseline, part, "")]).all()
                what = f"BitOPs, % of {baseline.upper()}; overheads {overheads}"
                if suffix:
                    what += f"; exact outputs as if in {baseline.upper()} too (not evaluated)"
                found |= {} if same else {what: 100 * (1 - reduction)}
    for column in (c for c in main if str(c).startswith(LATENCY)):
        found[f"modelled time on {column.removeprefix(LATENCY)}, %"] = 100 * main[column]
    if energy is not None:
        index = pd.MultiIndex.from_frame(main[list(WHERE[:2])])
        total = energy[energy["layer"] == "total"]
        keys = [key for key in ("preset", "bits") if key in total]
        for (*preset, bits), rows in total.groupby(keys, sort=False):
            mean = rows.groupby(list(WHERE[:2]))["reduction"].mean().reindex(index)
            place = f" on {preset[0]}" if preset else ""
            what = f"modelled energy{place}, %; exact outputs in {bits} bits"
            found[what] = pd.Series(100 * (1 - mean.to_numpy()), index=main.index)
    networks = [_network(row) for row in main.itertuples()]
    costs = {
        what: {n: round(float(v), 2) for n, v in zip(networks, values, strict=True) if pd.notna(v)}
        for what, values in found.items()
    }
    return {what: values for what, values in costs.items() if values}
