"""The comparison: one row for each base and defence, with all that it gives and costs."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from nenni.core import radius
from nenni.core.types import Norm
from nenni.evaluation.scoring import WORST
from nenni.evaluation.suite_result import CLEAN as CLEAN_OF_SUITE
from nenni.results.accuracy import ALL
from nenni.results.main_columns import (
    CLEAN,
    OF_COMPARISON,
    WHERE,
    of_accuracy,
    of_bitops,
    of_latency,
    titles_among,
)

LEAST, SUITE, TIME, ENERGY, _ = OF_COMPARISON
TRAINING = "training_overhead"
AUTOATTACK = "autoattack"
"""Name of the attack in a config."""
BITOPS = {"bitops_fp32": ("fp32", ""), "bitops_int8": ("int8", "_assumed")}
"""Column -> baseline and variant of the main table: as evaluated against FP32, INT8 to INT8."""
_FULL, _SHORT = 32, 8
_OF = list(WHERE[:2])
_OF_LEAST = ("low", "high", "n", "seeds", "eps", "suite", "attacks")
LEGEND = (
    "Accuracy [95 % interval over seeds and images; n images].",
    "least: per image over all attacks of the largest suite.",
    "BitOPs, time and energy are ratios to the dense network, overheads counted: as evaluated",
    "to FP32, and with both at INT8, at which it may not have been evaluated. Time and energy are",
    "modelled. Training is measured, in times of the same fine-tuning without the method.",
)


def comparison(
    main: pd.DataFrame,
    crossovers: pd.DataFrame,
    energy: pd.DataFrame,
    suites: pd.DataFrame | None = None,
    overhead: pd.DataFrame | None = None,
    *,
    columns: Mapping[str, str],
) -> pd.DataFrame:
    """Accuracies, what is left under all attacks, and costs, of every base and defence.

    Parameters
    ----------
    main : DataFrame
        From :func:`nenni.results.main_table.main_table`.
    crossovers, energy : DataFrame
        The cost model's tables of all experiments.
    suites : DataFrame or None
        From :func:`nenni.results.suites.suites_table`, if the run has suites.
    overhead : DataFrame or None
        Measured times of fine-tuning, ``over_control`` in times of the same without the method.
        Times are no results: without it there is no such column.
    columns : mapping
        Titles of the main table's attacks.

    Returns
    -------
    DataFrame
        Shares and ratios (1 is no change). ``least`` is the accuracy under the attacks on all
        images of the suite with most of them, then most attacks, in the norm of the main table;
        ``suite_<attack>`` that under each attack of the run's suites.
    """
    accuracies = [name for title in (CLEAN, *columns) for name in _kept(title) if name in main]
    found = main[[*WHERE, *accuracies]].copy()
    if suites is not None:
        read = [_of_suites(suites, *row) for row in main[list(WHERE[:3])].itertuples(index=False)]
        found = pd.concat([found, pd.DataFrame(read, index=found.index)], axis=1)
    for column, (baseline, variant) in BITOPS.items():
        found[column] = 1 - main[of_bitops(baseline, "with", variant)]
    index = pd.MultiIndex.from_frame(found[_OF])
    for column, ratio in [*_times(main, crossovers), *_energies(energy)]:
        found[column] = ratio.groupby(level=_OF).mean().reindex(index).to_numpy()
    if overhead is not None:
        measured = overhead.groupby(_OF)["over_control"].median()
        found[TRAINING] = measured.reindex(index).to_numpy()
    return found


def _kept(title: str) -> list[str]:
    mean, _, low, high, _, n = of_accuracy(title)
    return [mean, low, high, n]


def _of_suites(suites: pd.DataFrame, base: str, defence: str, norm: Norm) -> dict[str, Any]:
    """Each attack by the suite with most images, and the least over all of one suite."""
    where = {"base": base, "defence": defence, "norm": norm, "seed": ALL}
    here = suites[(suites[list(where)] == list(where.values())).all(axis=1)]
    here = here[here["attack"] != CLEAN_OF_SUITE]
    if here.empty:
        return {}
    single = here[here["attack"] != WORST]
    whole = here[here["attack"] == WORST]
    counts = [((single["suite"] == s) & (single["n"] >= n)).sum()
              for s, n in zip(whole["suite"], whole["n"], strict=True)]  # fmt: skip
    ordered = whole.assign(attacks=counts).sort_values(
        ["n", "attacks"], ascending=False, kind="stable"
    )
    least = ordered.iloc[0]
    most = single.sort_values("n", ascending=False, kind="stable").drop_duplicates("attack")
    cells = {SUITE + row.attack: row.accuracy for row in most.itertuples()}
    about = {f"{LEAST}_{name}": least[name] for name in _OF_LEAST}
    return {LEAST: least["accuracy"], **about, **cells}


def _times(
    main: pd.DataFrame, crossovers: pd.DataFrame
) -> Iterator[tuple[str, "pd.Series[float]"]]:
    """Modelled times as evaluated over dense FP32, and INT8 over INT8, on each platform."""
    short = crossovers[(crossovers["layer"] == "total") & (crossovers["bits"] == _SHORT)]
    for preset, rows in short.groupby("preset", sort=False):
        as_evaluated = main.set_index(_OF)[of_latency(str(preset))]
        yield f"{TIME}fp32_{preset}", as_evaluated
        rows = rows.set_index(_OF)
        yield f"{TIME}int8_{preset}", rows["injected_s"] / rows["dense_s"]


def _energies(energy: pd.DataFrame) -> Iterator[tuple[str, "pd.Series[float]"]]:
    """Modelled energies as evaluated over dense FP32, and INT8 over INT8, on each platform.

    As evaluated each layer counts at its own bits; unknown where the platform lacks one of them.
    """
    each = energy.assign(**{which: _sum(energy, which) for which in ("dense", "injected")})
    is_total = each["layer"] == "total"
    for preset in dict.fromkeys(each["preset"]):
        here, layers = (each[(each["preset"] == preset) & rows] for rows in (is_total, ~is_total))
        network = [*_OF, "seed"]
        own = layers[layers["evaluated"].astype(bool)].groupby(network)
        every = layers.groupby(network)["layer"].nunique()
        known = own["layer"].nunique().reindex(every.index) == every
        dense = here[here["bits"] == _FULL].set_index(network)["dense"]
        yield (
            f"{ENERGY}fp32_{preset}",
            own["injected"].sum().reindex(every.index).where(known) / dense,
        )
        short = here[here["bits"] == _SHORT].set_index(network)
        yield f"{ENERGY}int8_{preset}", short["injected"] / short["dense"]


def _sum(energy: pd.DataFrame, which: str) -> "pd.Series[float]":
    names = [c for c in energy if str(c).startswith(f"{which}_") and str(c).endswith("_pj")]
    return energy[names].sum(axis=1)


def display(table: pd.DataFrame) -> pd.DataFrame:
    """The comparison for the eye: a short column for each thing; of suites AutoAttack alone."""
    shown = table[["base", "defence"]].copy()
    shown["eps"] = [radius.shown(*row) for row in table[["eps", "norm"]].itertuples(index=False)]
    for mean in titles_among(table.columns):
        cells = table[[mean, f"{mean}_low", f"{mean}_high", f"{mean}_n"]]
        shown[mean] = [_accuracy(*row) for row in cells.itertuples(index=False)]
    if (referee := SUITE + AUTOATTACK) in table:
        shown["AutoAttack"] = ["-" if pd.isna(v) else f"{100 * v:.1f} %" for v in table[referee]]
    if LEAST in table:
        shown[f"{LEAST} of"] = [_suite(row) for row in table.itertuples()]
    for column, title in ratios(table).items():
        shown[title] = [_ratio(value) for value in table[column]]
    return shown


def ratios(table: pd.DataFrame) -> dict[str, str]:
    """Columns of costs, and their titles."""
    costs = [str(c) for c in table if str(c).startswith((*BITOPS, TIME, ENERGY, TRAINING))]
    return {column: _title(column) for column in costs}


def _suite(row: Any) -> str:
    """The suite whose least stands in a row, and its radius."""
    if pd.isna(row.least):
        return "-"
    eps = radius.shown(row.least_eps, row.norm)
    attacks = f"{row.least_attacks:.0f} attack" + "s" * (row.least_attacks != 1)
    return f"{row.least_suite}, {attacks}, eps {eps}"


def _accuracy(mean: float, low: float, high: float, n: float) -> str:
    if pd.isna(mean):
        return "-"
    return f"{100 * mean:.1f} % [{100 * low:.1f}, {100 * high:.1f}; {n:.0f}]"


def _ratio(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.2f}"


def _title(column: str) -> str:
    what, _, rest = column.partition("_")
    if column == TRAINING:
        return "training time"
    baseline, _, preset = rest.partition("_")
    named = {"bitops": "BitOPs"}.get(what, what)
    words = "/ FP32" if baseline == "fp32" else "INT8 / INT8"
    return " ".join(filter(None, [named, words, preset]))
