"""The page of a comparison: what differs, can that be believed, what does each cost."""

from typing import Any

import pandas as pd
from markupsafe import Markup

from nenni.cards import attacks_chart, words
from nenni.cards.attacks_chart import Mark, mark
from nenni.cards.card_page import NO_ATTACK, data_table
from nenni.cards.compare import Comparison, doubts
from nenni.cards.schema import Accuracy
from nenni.cards.schema_cost import Cost
from nenni.evaluation.scoring import WORST
from nenni.evaluation.suite_result import CLEAN
from nenni.results.page import skeleton
from nenni.results.page.tables import Cell, Table, points, share, table

_TEMPLATE = "comparison.html.jinja"
_MEGA, _MICRO = 1e-6, 1e6
_PAIRED = (
    "paired",
    "Each attack that both received",
    "The share of the same images that stay right at the worst point that the attack tried; the "
    "difference is the second network less the first. In brackets are 95 % intervals over images. "
    "p is of McNemar's exact test, corrected for the number of rows.",
)
_COSTS = ("costs", "What each costs", "For one image: counted, or modelled, not measured.")


def comparison_page(comparison: Comparison) -> str:
    """The page of a comparison."""
    one, other = comparison.first, comparison.second
    least = comparison.rows[comparison.rows["attack"] == WORST].iloc[0]
    marks = _marks(comparison)
    both = one.cost is not None and other.cost is not None
    return skeleton.document(
        _TEMPLATE,
        comparison=comparison,
        least=least,
        difference=points(least["difference"], least["low"], least["high"]).text,
        words=words,
        cards=list(zip(comparison.names, (one, other), strict=True)),
        doubts=doubts(comparison),
        picture=Markup(attacks_chart.static(marks)),
        chart=attacks_chart.specification(marks),
        paired=data_table(_paired(comparison)),
        costs=data_table(_costs(comparison.names, one.cost, other.cost)) if both else None,
    )  # fmt: skip


def _marks(comparison: Comparison) -> list[Mark]:
    found = []
    for row in comparison.rows.to_dict("records"):
        attack = NO_ATTACK if row["attack"] == CLEAN else row["attack"]
        for name, which in zip(comparison.names, ("first", "second"), strict=True):
            low, high = row[f"{which}_low"], row[f"{which}_high"]
            found.append(mark(attack, name, Accuracy(accuracy=row[which], low=low, high=high)))
    return found


def _paired(comparison: Comparison) -> Table:
    first, second = comparison.names
    rows = [
        {
            "attack": NO_ATTACK if row["attack"] == CLEAN else row["attack"],
            "first": share(row["first"], row["first_low"], row["first_high"]),
            "second": share(row["second"], row["second_low"], row["second_high"]),
            "difference (points)": points(row["difference"], row["low"], row["high"]),
            "only_first": row["only_first"],
            "only_second": row["only_second"],
            "p, corrected": Cell(f"{row['p_holm']:.2g}", row["p_holm"]),
            "p alone": Cell(f"{row['p']:.2g}", row["p"]),
        }
        for row in comparison.rows.to_dict("records")
    ]
    titles = {
        "first": first, "second": second,
        "only_first": f"right by {first} alone", "only_second": f"right by {second} alone",
    }  # fmt: skip
    return table(pd.DataFrame(rows), *_PAIRED, titles=titles)


def _costs(names: tuple[str, str], one: Cost | None, other: Cost | None) -> Table:
    assert one is not None
    assert other is not None
    rows = [_cost_row("BitOPs (M)", _MEGA * _bitops(one), _MEGA * _bitops(other))]
    theirs = {row.platform: row.network for row in other.times}
    for row in one.times:
        pair = row.network, theirs.get(row.platform)
        if pair[0] is not None and pair[1] is not None:
            what = f"modelled time on {row.platform} (µs)"
            rows.append(_cost_row(what, _MICRO * pair[0], _MICRO * pair[1]))
    energies = {(e.platform, e.bits): e.network for e in other.energies if e.evaluated}
    for energy in one.energies:
        if energy.evaluated and (same := energies.get((energy.platform, energy.bits))) is not None:
            what = f"modelled energy on {energy.platform}, {energy.bits} bits (µJ)"
            rows.append(_cost_row(what, _MEGA * energy.network, _MEGA * same))
    return table(
        pd.DataFrame(rows), *_COSTS, titles=dict(zip(("first", "second"), names, strict=True))
    )


def _bitops(cost: Cost) -> float:
    return words.against(cost, "fp32").with_overheads


def _cost_row(what: str, first: float, second: float) -> dict[str, Any]:
    by = Cell(words.change(second, first), second / first)
    return {"what": what, "first": first, "second": second, "change": by}
