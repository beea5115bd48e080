"""Verdicts on the paper's claims: what was claimed, what this run measured, what follows."""

from typing import Any

import pandas as pd

from nenni.results.accuracy import ALL

REPRODUCED = "reproduced"
DIRECTION = "same direction"
NOT_REPRODUCED = "not reproduced"
NOT_TESTED = "not tested here"
SEEDS_NEEDED = 3


def judge(
    claims: dict[str, dict[str, Any]],
    paired: pd.DataFrame,
    reductions: pd.DataFrame,
    tables: dict[str, Any],
    datasets: dict[str, str],
) -> pd.DataFrame:
    """Each claim beside its measurement, against every control, with a verdict and its reason.

    'reproduced' needs the claim's own dataset, three seeds, and a measurement that reaches the
    claimed value; 'same direction' an effect in every seed and an interval over the images that
    excludes none. BitOPs count with their overheads.

    Parameters
    ----------
    claims : dict
        Name -> fields of :class:`nenni.run.config.Claim`.
    paired : DataFrame
        From :func:`nenni.results.accuracy.paired_table`.
    reductions : DataFrame
        The cost model's reductions of all experiments.
    tables : dict
        Config of the main table: ``clean``, ``columns`` and ``eps``.
    datasets : dict
        Base -> name of its dataset.
    """
    rows = []
    for name, claim in claims.items():
        about = {"claim": name, "text": claim["text"], "claimed": claim["value"]}
        if claim["measure"] == "bitops_reduction":
            measured = _reductions(claim, reductions)
        else:
            measured = _gains(claim, paired, tables)
        if not measured:
            missing = f"{claim['defence']} on {claim['base']} was not measured so in this run"
            rows.append({**about, "verdict": NOT_TESTED, "reason": missing})
        for measurement in measured:
            verdict, reason = _verdict(claim, measurement, datasets.get(claim["base"]))
            rows.append({**about, **measurement, "verdict": verdict, "reason": reason})
    order = ["claim", "text", "claimed", "against", "measured", "low", "high"]
    order += ["seeds", "worst_seed", "best_seed"]
    return pd.DataFrame(rows).reindex(columns=[*order, "verdict", "reason"])


def _gains(
    claim: dict[str, Any], paired: pd.DataFrame, tables: dict[str, Any]
) -> list[dict[str, Any]]:
    if claim["measure"] == "robust_gain":
        evaluation = tables["columns"].get(claim["column"])
        radius = tables["eps"].get(claim["base"])
    else:
        evaluation, radius = tables["clean"], 0.0
    found = paired[
        (paired["base"] == claim["base"])
        & (paired["defence"] == claim["defence"])
        & (paired["evaluation"] == evaluation)
        & (paired["eps"] == radius)
    ]
    single = found[found["seed"] != ALL].groupby("control")["difference"]
    worst, best = single.min(), single.max()
    found = found[found["seed"] == ALL]
    return [
        {"against": row["control"], "measured": row["difference"], "low": row["low"],
         "high": row["high"], "seeds": row["seeds"],
         "worst_seed": worst[row["control"]], "best_seed": best[row["control"]]}
        for _, row in found.iterrows()
    ]  # fmt: skip


def _reductions(claim: dict[str, Any], table: pd.DataFrame) -> list[dict[str, Any]]:
    found = table[
        (table["base"] == claim["base"])
        & (table["defence"] == claim["defence"])
        & (table["layer"] == "total")
        & (table["baseline"] == claim["bits"])
        & (table["variant"] == "as_evaluated")
    ]
    if found.empty:
        return []
    against = f"dense {claim['bits'].upper()}"
    return [
        {"against": f"{against}, {label}", "measured": found[column].mean(),
         "seeds": len(found), "worst_seed": found[column].min(), "best_seed": found[column].max()}
        for label, column in (
            ("overheads counted", "reduction_with"),
            ("overheads left out", "reduction_without"),
        )
    ]  # fmt: skip


def _verdict(
    claim: dict[str, Any], measurement: dict[str, Any], dataset: str | None
) -> tuple[str, str]:
    measured = measurement["measured"]
    needed = -claim["tolerance"]
    lowest = min(measurement.get("low", measured), measurement["worst_seed"])
    if lowest <= needed if claim["measure"] != "clean_gain" else lowest < needed:
        return NOT_REPRODUCED, f"measured {_points(claim, measurement)}"
    short = []
    if measured < claim["value"] - claim["tolerance"]:
        short.append(f"measured {_points(claim, measurement)}, less than claimed")
    if dataset != claim["dataset"]:
        short.append(f"{dataset} can only hint at a claim made on {claim['dataset']}")
    if measurement["seeds"] < SEEDS_NEEDED:
        short.append(f"{measurement['seeds']} seeds of the {SEEDS_NEEDED} that are needed")
    if short:
        return DIRECTION, "; ".join(short)
    return REPRODUCED, f"measured {_points(claim, measurement)}"


def _points(claim: dict[str, Any], measurement: dict[str, Any]) -> str:
    unit = "%" if claim["measure"] == "bitops_reduction" else "points"
    text = f"{100 * measurement['measured']:+.1f} {unit}"
    if "low" in measurement:
        text += f" [{100 * measurement['low']:+.1f}, {100 * measurement['high']:+.1f}]"
    worst, best = (100 * measurement[key] for key in ("worst_seed", "best_seed"))
    return text if f"{worst:.1f}" == f"{best:.1f}" else f"{text}, seeds {worst:+.1f} to {best:+.1f}"
