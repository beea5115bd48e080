"""Tables of docs/cost.md: measured beside modelled, and the model beside SCALE-Sim and ZigZag."""

import pandas as pd

_NAMES = {
    "fp32": "FP32", "bf16": "bfloat16", "int8": "INT8", "injected": "injected, as it runs today",
    "deployed_dense": "deployed, all neurons", "deployed": "deployed, skipping where faster",
    "train_plain": "training step, plain", "train_injected": "training step, injected",
}  # fmt: skip
_SKIPS = "injected"
"""What the model has as if it skipped, which today's code does not."""


def bench(found: pd.DataFrame) -> pd.DataFrame:
    """Every variant that was timed, large batches first, with the model's time where it has one."""
    rows = []
    for batch in sorted(found["batch"].unique(), reverse=True):
        for row in found[found["batch"] == batch].itertuples():
            modelled = "" if pd.isna(row.modelled_s) else _milliseconds(row.modelled_s)
            if row.variant.startswith("train") and batch == 1:
                continue
            rows.append(
                {"batch": batch, "": _NAMES[row.variant], "ms": _milliseconds(row.seconds),
                 "over its plain one": f"{row.over_dense:.2f}",
                 "MiB added by a pass": f"{row.peak_mib:.1f}",
                 "modelled, ms": modelled + (" if it skipped" if row.variant == _SKIPS else "")}
            )  # fmt: skip
    return pd.DataFrame(rows)


def errors(found: pd.DataFrame) -> pd.DataFrame:
    """How far the roofline is off, by precision and batch."""
    return pd.DataFrame(
        {"precision": _NAMES[row.precision], "batch": row.batch, "layers": row.layers,
         "median error": f"{row.median_factor - 1:.0%}",
         "worst layer": f"{row.worst_factor:.1f} times, `{row.worst_layer}`"}
        for row in found.itertuples()
    )  # fmt: skip


def zigzag(found: pd.DataFrame) -> pd.DataFrame:
    """Every row, with the model's cycles and energy over ZigZag's."""
    return pd.DataFrame(
        {"on": f"`{row.accelerator}`", "layer": row.layer,
         "": "layer" if row.kind == "dense" else "W~",
         "M x n x d": f"{row.M} x {row.n} x {row.d}", "bound by": row.bound,
         "ZigZag, cycles": f"{row.zigzag_cycles:,}", "here": f"{row.cycles:,}",
         "ratio": f"{row.cycles_ratio:.2f}", "ZigZag, µJ": f"{row.zigzag_pj / 1e6:.1f}",
         "here, µJ": f"{row.pj / 1e6:.1f}", "ratio of energies": f"{row.pj_ratio:.2f}"}
        for row in found.itertuples()
    )  # fmt: skip


def scalesim(found: pd.DataFrame) -> pd.DataFrame:
    """How many counts are equal, a column for each dataflow."""
    flows = list(dict.fromkeys(found["dataflow"]))
    rows = []
    for counted, of_it in found.groupby("counted", sort=False):
        equal = {row.dataflow: f"{row.equal} of {row.products}" for row in of_it.itertuples()}
        rows.append({"equal": counted} | {f.replace("_", " "): equal.get(f, "") for f in flows})
    return pd.DataFrame(rows)


def plausibility(found: pd.DataFrame) -> pd.DataFrame:
    """Published and modelled images per second."""
    what = ["preset", "network", "bits", "batch"]
    rates = {of: found[of].map("{:,.1f}".format) for of in ("published", "modelled")}
    told = found[what].assign(**{"GHz": found["clock_ghz"].map("{:g}".format)}, **rates)
    return told.assign(ratio=found["ratio"].map("{:.2f}".format), source=found["source"])


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}"
