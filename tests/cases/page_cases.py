"""Tables of a run as its page gets them, and what a run was."""

from typing import Any

import pandas as pd
from run_cases import CLAIMS, DIGITS
from table_cases import COLUMNS, EPS, small_tables

from nenni.results.comparison import comparison
from nenni.results.main_table import main_table
from nenni.results.page.about import About, about
from nenni.run.config_file import load_claims, load_config
from nenni.run.slices import Slices

HOSTILE = "<script>alert(\"x\")</script> & </style><b onclick='y'>"
"""Text that would do something where it is not escaped."""
MASKED = "not to be believed: the gradients mislead"
VERDICTS = (
    "reproduced",
    "same direction",
    "not reproduced",
    "undecided",
    "not derivable",
    "not tested",
)


def page_tables() -> dict[str, pd.DataFrame]:
    """Small tables with what a page reads of them: a main table, claims with every verdict, ..."""
    found = small_tables()
    saved = found["reductions"]["defence"].map({"none": 0.0, "topk_50": 0.5, "nm_2_4": -0.1})
    overheads = found["reductions"]["variant"].map({"as_evaluated": 0.05, "exact_at_baseline": 0.1})
    found["reductions"] = found["reductions"].assign(
        reduction_with=saved, reduction_without=saved + overheads, bitops_with=1e6 * (1 - saved)
    )
    found["main"] = main_table(
        found["accuracy"], found["reductions"], found["latency"], "fgsm", COLUMNS, EPS, "linf"
    )
    found["claims"] = claims()
    found["suites"] = found["suites"].assign(eps=8 / 255)
    single = {"p": None, "difference": -0.05, "control": "none"}
    found["paired"] = found["accuracy"].drop(columns=["accuracy", "deviation"]).assign(**single)
    meant = found["diagnostics"].assign(p=0.5, meaning="the gradients mislead")
    whole = {"name": "all checks", "value": 1, "threshold": 0, "verdict": "fail", "meaning": MASKED}
    networks = meant.drop_duplicates(["base", "defence"]).assign(**whole)
    found["diagnostics"] = pd.concat([meant, networks], ignore_index=True)
    found["energy"] = pd.DataFrame(
        {"base": row.base, "defence": row.defence, "seed": seed, "layer": layer,
         "preset": preset, "batch": 1, "bits": bits,
         "dense_memory_pj": 4e6, "injected_memory_pj": 3e6, "reduction": 0.25}
        for row in found["main"].itertuples() for seed in (0, 1) for layer in ("conv1", "total")
        for preset in ("cpu", "npu") for bits in (32, 8)
    )  # fmt: skip
    found["energy"] = found["energy"].assign(evaluated=found["energy"]["bits"] == 32)
    both = found["crossovers"].merge(pd.DataFrame({"width": (32, 8)}), how="cross")
    found["crossovers"] = both.assign(bits=both["width"]).drop(columns="width")
    found["comparison"] = comparison(
        found["main"], found["crossovers"], found["energy"], found["suites"], columns=COLUMNS
    )
    return found


def claims(**changes: Any) -> pd.DataFrame:
    """A claim with each verdict, in columns that the page was not told of."""
    return pd.DataFrame(
        {"claim": f"claim_{i}", "text": f"claim number {i}", "source": "a review",
         "certainty": "second-hand", "comparator": "none_ft", "claimed": 0.1474,
         "measured": -0.05 if i < 3 else None, "low": -0.066 if i < 3 else None,
         "high": -0.035 if i < 3 else None, "seeds": 5, "per_seed": "0: -5.0 1: -4.9",
         "verdict": verdict, "reason": f"reason number {i}", **changes}
        for i, verdict in enumerate(VERDICTS)
    )  # fmt: skip


def asked() -> dict[str, Any]:
    """The slice of the default config that a page is made by."""
    config = load_config(DIGITS)
    return Slices(config, load_claims(CLAIMS)).of("page")


def about_default() -> About:
    """What the default run is."""
    return about(asked())
