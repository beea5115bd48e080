"""A method beside what stands in for a part of it: paired differences on the same images."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from nenni.results.accuracy import ALL
from nenni.results.main_columns import CLEAN
from nenni.results.paired import LEAST

COLUMNS = [
    "base", "defence", "control", "measure", "norm", "eps", "n", "seeds", "accuracy",
    "control_accuracy", "difference", "low", "high", "values", "interval",
]  # fmt: skip


def controls_table(
    paired: pd.DataFrame,
    controls: Mapping[str, Sequence[str]],
    tables: Mapping[str, Any],
) -> pd.DataFrame:
    """What the main table reads, of each method and its controls, over all seeds.

    Parameters
    ----------
    paired : DataFrame
        From :func:`nenni.results.paired.paired_table`, with a column ``norm``.
    controls : mapping
        Method -> controls on the same base.
    tables : mapping
        ``clean``, ``columns``, ``norm`` and ``eps`` of the main table.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`: accuracies, and the method's less the control's with a 95 %
        interval, all shares. ``measure`` is ``clean``, a title of the main table, or
        ``least of SUITE``: the least per image over its attacks that both received, at its radius.
    """
    titles = {name: title for title, name in tables["columns"].items()}
    whole = paired[(paired["seed"] == ALL) & (paired["base"] == paired["control_base"])]
    asked = pd.MultiIndex.from_tuples([(m, c) for m, some in controls.items() for c in some])
    whole = whole[pd.MultiIndex.from_frame(whole[["defence", "control"]]).isin(asked)]
    clean = (whole["evaluation"] == tables["clean"]) & (whole["eps"] == 0)
    read = whole["evaluation"].isin(titles) & (whole["eps"] == whole["base"].map(tables["eps"]))
    suite = whole["evaluation"].str.endswith(LEAST) & (whole["norm"] == tables["norm"])
    end = f" {tables['norm']} {LEAST}"
    least = "least of " + whole["evaluation"].str.removesuffix(end)
    named = whole["evaluation"].map(titles).where(read, least)
    found = whole.assign(measure=named.mask(clean, CLEAN))[clean | read | suite]
    order = {pair: place for place, pair in enumerate(asked)}
    pairs = found[["defence", "control"]].apply(tuple, axis=1).map(order)
    return found.iloc[pairs.argsort(kind="stable")].reindex(columns=COLUMNS).reset_index(drop=True)
