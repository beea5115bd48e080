"""The table of claims: what was claimed, by which text, what this run measured, what follows."""

from typing import Any

import pandas as pd

from nenni.results.accuracy import ALL, per_seed
from nenni.results.verdict import (
    NOT_DERIVABLE,
    NOT_TESTED,
    ROUNDING,
    Measured,
    borders,
    no_room,
    not_derivable,
    verdict,
)

UNDEFENDED = "standard"
"""Training without any attack."""
COLUMNS = [
    "claim", "text", "source", "certainty", "datasets", "measured_on", "architecture", "base",
    "defence", "comparator", "control_base", "control", "evaluation", "norm", "eps", "n", "unit",
    "claimed", "claimed_most", "measured", "low", "high", "seeds", "values", "effect", "as_large",
    "verdict", "reason",
]  # fmt: skip
"""Measurements are shares. ``effect`` and ``as_large`` answer the two questions of
:mod:`nenni.results.verdict`."""


def judge(
    claims: dict[str, dict[str, Any]],
    sources: dict[str, dict[str, Any]],
    bases: dict[str, dict[str, str]],
    trials: list[dict[str, Any]],
    paired: pd.DataFrame,
    reductions: pd.DataFrame,
) -> pd.DataFrame:
    """Each claim beside its measurements, a row for each arm and comparator, with a verdict.

    Parameters
    ----------
    claims, sources : dict
        Name -> fields of :class:`nenni.run.claims_config.Claim` and ``Source``.
    bases : dict
        Base -> its ``data`` (by name), ``dataset`` (its plugin), ``model`` and ``architecture``.
    trials : list of dict
        Fields of :class:`nenni.run.claim_trials.Trial`, one for each row.
    paired : DataFrame
        From :func:`nenni.results.paired.paired_table`.
    reductions : DataFrame
        The cost model's reductions of all experiments.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`.
    """
    rows = []
    for trial in trials:
        claim = claims[trial["claim"]]
        about = _about(claim, sources[claim["source"]]) | trial
        if trial["base"]:
            base = bases[trial["base"]]
            about |= {"measured_on": base["data"], "architecture": base["architecture"]}
            trial = trial | {"differs": _differs(claim, base, trial["differs"])}
        if trial["missing"]:
            reason = f"not in this run: {trial['missing']}"
            found = {"verdict": NOT_TESTED, "reason": reason}
        elif claim["measure"] == "bitops_reduction":
            found = _of_bitops(claim, trial, reductions)
        else:
            found = _of_accuracy(claim, trial, paired)
        rows.append(about | found)
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def _about(claim: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    value = claim["value"] if isinstance(claim["value"], list) else [claim["value"]]
    sign = -1 if claim["measure"].endswith("_loss") else 1
    least, *most = (None if size is None else sign * size for size in value)
    if claim["measure"] == "clean_kept":
        least = -claim["margin"]
    return {
        "text": claim["text"], "source": source["cite"], "certainty": source["certainty"],
        "datasets": " or ".join(claim["datasets"]),
        "unit": "BitOPs" if claim["measure"] == "bitops_reduction" else "accuracy",
        "claimed": least, "claimed_most": most[0] if most else None,
    }  # fmt: skip


def _size(claim: dict[str, Any]) -> float | None:
    """The size that is to be reached: the least of several."""
    value = claim["value"]
    least: float | None = value[0] if isinstance(value, list) else value
    return least


def _differs(claim: dict[str, Any], base: dict[str, str], of_arm: str) -> str:
    """How what is measured differs from what the claim is about, in words; empty if it does not."""
    datasets, architectures = claim["datasets"], claim["architectures"]
    found = []
    if base["data"] not in datasets and base["dataset"] not in datasets:
        found.append(f"on {base['data']}, not {' or '.join(datasets)}")
    if architectures and base["architecture"] not in architectures:
        name = "architecture" if base["model"] in architectures else "model"
        found.append(f"with {base[name]}, not {' or '.join(architectures)}")
    return "; ".join([*found, of_arm] if of_arm else found)


def _of_accuracy(
    claim: dict[str, Any], trial: dict[str, Any], paired: pd.DataFrame
) -> dict[str, Any]:
    keys = ["base", "defence", "control_base", "control", "evaluation", "eps"]
    found = paired[(paired[keys] == [trial[key] for key in keys]).all(axis=1)]
    if found.empty:
        return {"verdict": NOT_TESTED, "reason": "not in this run: a seed that both have"}
    whole = found[found["seed"] == ALL].iloc[0]
    measured = Measured(
        whole["difference"], whole["low"], whole["high"], int(whole["seeds"]), trial["differs"]
    )
    at = borders(claim["measure"], _size(claim), claim["margin"])
    judged = _judged(measured, verdict(measured, at)) | {
        "seeds": whole["seeds"], "n": whole["n"], "values": whole["values"],
    }  # fmt: skip
    if claim["measure"] != "clean_kept" and (
        reason := no_room(whole["control_accuracy"], _most(claim, trial, paired), at)
    ):
        judged |= {"effect": None, "as_large": None, "verdict": NOT_TESTED, "reason": reason}
    return judged


def _most(claim: dict[str, Any], trial: dict[str, Any], paired: pd.DataFrame) -> float:
    """Accuracy of the best network that was attacked so; see :func:`nenni.results.verdict.no_room`.

    An undefended network may well have nothing left.
    """
    if UNDEFENDED in claim["training"]:
        return 1.0
    keys = ["evaluation", "eps"]
    here = paired[(paired[keys] == [trial[key] for key in keys]).all(axis=1)]
    return float(here[["accuracy", "control_accuracy"]].max(axis=None))


def _of_bitops(claim: dict[str, Any], trial: dict[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    """No seed changes them but for the non-zeros of P, so that there is no interval."""
    total = table[(table["layer"] == "total") & (table["variant"] == "as_evaluated")]
    keys = ["base", "defence", "baseline"]
    found = total[(total[keys] == [trial[key] for key in keys]).all(axis=1)]
    if found.empty:
        reason = f"not in this run: a count of its BitOPs beside dense {trial['baseline'].upper()}"
        return {"verdict": NOT_TESTED, "reason": reason}
    each = found["reduction_with" if trial["overheads"] else "reduction_without"]
    size = _size(claim)
    assert size is not None
    measured = Measured(each.mean(), each.min(), each.max(), None, trial["differs"], "%")
    judged = _judged(measured, verdict(measured, borders(claim["measure"], size, None)))
    if max(trial["limit"], measured.high) < size - ROUNDING:
        judged |= {"verdict": NOT_DERIVABLE, "reason": not_derivable(trial["limit"], size)}
    return judged | {"seeds": len(each), "values": per_seed(found["seed"], each)}


def _judged(measured: Measured, found: tuple[str, str, str, str]) -> dict[str, Any]:
    answers = dict(zip(("effect", "as_large", "verdict", "reason"), found, strict=True))
    return {"measured": measured.value, "low": measured.low, "high": measured.high, **answers}
