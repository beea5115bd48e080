"""Small tables of a run, made here."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

EPS = {"pgd_at": 8 / 255, "standard": 4 / 255}
COLUMNS = {"fgsm": "fgsm", "pgd_20": "pgd"}
DEFENCES = {"pgd_at": ["none", "topk_50", "nm_2_4"], "standard": ["none"]}
LAYERS = ["conv1", "conv2", "fc1"]


def examples(clean: Sequence[float], robust: Sequence[float]) -> pd.DataFrame:
    """Examples of an attack at eps 8 whose worst point is the one that it returned."""
    n = len(clean)
    flags = {"clean_correct": clean, "adv_correct": robust}
    flags |= {"clean_chosen": clean, "adv_chosen": robust}
    flags |= {"any_correct": robust, "any_chosen": robust}
    return pd.DataFrame({"eps": [8.0] * n, "index": range(n), **flags})


def rows(**columns: Any) -> list[dict[str, Any]]:
    return [
        {"base": base, "defence": defence, **columns}
        for base, defences in DEFENCES.items()
        for defence in defences
    ]


def small_tables() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(0)
    accuracy = [
        {**row, "evaluation": e, "norm": "linf", "eps": eps, "seed": seed, "n": 100, "seeds": 1,
         "accuracy": a, "deviation": 0.01, "low": a - 0.05, "high": a + 0.05}
        for row in rows() for e in ("fgsm", "pgd") for i, eps in enumerate((0.0, 4 / 255, 8 / 255))
        for seed in ("0", "1", "all") for a in [0.9 - 0.3 * i]
    ]  # fmt: skip
    reductions = [
        {**row, "seed": seed, "layer": layer, "baseline": b, "variant": v, "evaluated": b == "fp32",
         "dense_bitops": 1e6, "reduction_without": 0.4 if v == "as_evaluated" else 0.9,
         "reduction_with": -0.2 + 0.2 * seed}
        for row in rows() for seed in (0, 1) for layer in (*LAYERS, "total")
        for b in ("fp32", "fp16", "int8") for v in ("as_evaluated", "exact_at_baseline")
    ]  # fmt: skip
    latency = [
        {**row, "seed": 0, "layer": layer, "preset": p, "dense_fp32_s": 2e-5,
         "dense_fp16_s": 1e-5, "dense_int8_s": np.nan, "injected_s": 3e-5, "projection_s": 1e-5,
         "approximation_s": 1e-5, "selection_s": 0.5e-5, "exact_s": 0.5e-5, "bound": "memory"}
        for row in rows() for layer in (*LAYERS, "total") for p in ("cpu", "npu")
    ]  # fmt: skip
    operations = [
        {**row, "seed": 0, "layer": layer, "term": t, "bitops": 1e5, "macs": 1e3}
        for row in rows() for layer in LAYERS for t in ("exact", "projection", "approximation")
    ]  # fmt: skip
    errors = [
        {**row, "seed": 0, "layer": layer, "bin": b, "all": p, "injected": p}
        for row in rows() for layer in LAYERS
        for b, p in zip((-0.5, 0, 0.5), rng.dirichlet([3, 9, 3]), strict=True)
    ]  # fmt: skip
    fit = [
        {**row, "seed": 0, "layer": n, "recall": 0.8, "fraction": 0.5}
        for row in rows()
        for n in LAYERS
    ]
    sweep = [
        {"ratio": r, "fraction": f, "relative_error": 0.3 * r, "clean": 0.9, "robust": 0.5, "n": 9, "attack": "pgd_20", "norm": "linf", "eps": 8 / 255}
        for r in (0.1, 0.2) for f in (0, 0.5, 1)
    ]  # fmt: skip
    attacks = ("clean", "pgd", "all attacks")
    suites = [
        {**row, "seed": seed, "suite": "full", "attack": a, "norm": norm, "eps": 8.0, "n": n,
         "accuracy": 0.5, "low": 0.4, "high": 0.6, "any_iterate": 0.45, "seeds": 2, "forwards": 20.0,
         "backwards": 20.0, "notes": ""}
        for row in rows() for norm in ("linf", "l2") for seed in ("0", "all") for a, n in zip(attacks, (9, 9, 4), strict=True)
    ]  # fmt: skip
    persistence = [
        {**row, "seed": "all", "suite": "full", "norm": "linf", "tries": tries, "n": 9,
         "accuracy": a, "low": a - 0.1, "high": a + 0.1}
        for row in rows() for tries, a in ((1, 0.5), (10, 0.3), (100, 0.2))
    ]  # fmt: skip
    diagnostics = [
        {**row, "seed": 0, "name": name, "value": 0.1, "threshold": 0.1, "verdict": verdict}
        for row in rows()
        for name, verdict in (
            ("black box", "pass"),
            ("transfer", "fail"),
            ("noise", "note"),
            ("order", "too few images"),
        )
    ]
    diagnostic_curves = [
        {**row, "seed": 0, "curve": curve, "x": x, "y": 0.5 * x}
        for row in rows() for curve in ("eps", "steps", "path") for x in (1, 2)
    ]  # fmt: skip
    cost = {"seed": 0, "preset": "cpu", "bits": 32}
    speedups = [
        {**row, **cost, "layer": layer, "fraction": f, "speedup": 1.5 - f}
        for row in rows() for layer in (*LAYERS, "total") for f in (0, 0.5, 1)
    ]  # fmt: skip
    crossovers = [
        {**row, **cost, "layer": layer, "dense_s": 1e-5, "injected_s": 1e-5, "speedup": 1.0,
         "fraction": fraction}
        for row in rows() for layer, fraction in zip((*LAYERS, "total"), (0.5, np.nan, 0.5, 0.5), strict=True)
    ]  # fmt: skip
    rooflines = [
        {**row, **cost, "layer": layer, "phase": phase, "run_bits": 8, "macs_per_byte": x,
         "macs_per_s": 1e9 * x, "peak_macs_per_s": 5e9, "bandwidth_bytes_per_s": 2e9}
        for row in rows() for layer in LAYERS
        for phase, x in (("dense", 2.0), ("exact", 1.0), ("approximation", 0.5))
    ]  # fmt: skip
    verdicts = [
        {**row, "seed": 0, "way": way, "preset": p, "batch": 1, "seconds": 1e-3, "pj": 1e6, "speedup": s,
         "speedup_low": 0.8 * s, "speedup_high": 1.2 * s, "energy_saved": 0.2, "energy_saved_low": 0.1,
         "energy_saved_high": 0.3, "area": 1.1, "turns_time": "overhead_s", "turns_energy": np.nan, "lacks": np.nan}
        for row in rows() for p in ("cpu", "npu")
        for way, s in (("this method", 0.7), ("this method, exact path INT8", 0.9), ("dense FP32", 0.5), ("dense INT8", 1.0))
    ]  # fmt: skip
    lacking = {
        "speedup": np.nan,
        "energy_saved": np.nan,
        "seconds": np.nan,
        "lacks": "no multipliers of 4 bits",
    }
    verdicts += [{**verdicts[0], **lacking, "way": "dense INT4"}]
    sensitivities = [
        {"base": "pgd_at", "seed": seed, "layer": layer, "noise": s, "fraction": f, "rise": s * (1 - f)}
        for seed in (0, 1) for layer in LAYERS for s in (0.1, 0.8) for f in (0, 0.5)
    ]  # fmt: skip
    controls = [
        {"base": "pgd_at", "defence": defence, "control": control, "measure": measure, "norm": "linf",
         "eps": eps, "n": 9, "seeds": 2, "accuracy": 0.5, "control_accuracy": 0.6, "difference": -0.1,
         "low": -0.2, "high": 0.1, "values": "0:-0.1 1:-0.1", "interval": "seeds and images"}
        for defence, control in (("topk_50", "none_ft"), ("topk_50", "random_50"), ("nm_2_4", "none_ft"))
        for measure, eps in (("clean", 0.0), ("pgd_20", 8 / 255), ("least of full", 8 / 255))
    ]  # fmt: skip
    histories = [
        {"base": base, "seed": seed, "epoch": epoch, "val_clean": 0.9, "val_robust": 0.1 * epoch - 0.02 * seed}
        for base in DEFENCES for seed in (0, 1) for epoch in (1, 2, 3)
    ]  # fmt: skip
    named = {
        "controls": controls, "histories": histories,
        "sensitivities": sensitivities,
        "speedups": speedups, "crossovers": crossovers, "rooflines": rooflines, "verdicts": verdicts,
        "suites": suites, "persistence": persistence, "diagnostics": diagnostics, "diagnostic_curves": diagnostic_curves,
        "accuracy": accuracy, "reductions": reductions, "latency": latency, "sweep": sweep,
        "operations": operations, "errors": errors, "fit": fit,
    }  # fmt: skip
    return {name: pd.DataFrame(content) for name, content in named.items()}
