"""The attacks of the named suites, apart from their code: the workflow's plan names them too."""

from nenni.core.plugins import Ref

_THROUGH: Ref = {"name": "pgd", "loss": "margin", "steps": 50}

QUICK: dict[str, Ref] = {
    "fgsm": {"name": "fgsm"},
    "pgd_20": {"name": "pgd", "steps": 20},
}
STANDARD: dict[str, Ref] = {
    **QUICK,
    "apgd_ce": {"name": "apgd", "loss": "ce", "steps": 50},
    "apgd_pm": {"name": "apgd", "loss": "pm", "steps": 100},
    "exact_path": {**_THROUGH, "surrogate": {"name": "exact_path"}},
    "approximate_path": {**_THROUGH, "surrogate": {"name": "approximate_path"}},
    "soft_mask": {**_THROUGH, "surrogate": {"name": "soft_mask"}},
    "bpda": {**_THROUGH, "surrogate": {"name": "bpda"}},
    "mask_flip": {"name": "mask_flip"},
    "smoothed": {"name": "pgd", "loss": "margin", "steps": 20, "samples": 5, "sigma": 0.05},
    "apgd_targeted": {"name": "apgd_targeted", "steps": 30},
    "ddn": {"name": "ddn"},
    "cw_l2": {"name": "cw_l2"},
    "deepfool": {"name": "deepfool"},
    "random_noise": {"name": "random_noise"},
    "square": {"name": "square", "queries": 1000},
    "rays": {"name": "rays", "queries": 300},
}
SUITES: dict[str, dict[str, Ref]] = {
    "quick": QUICK,
    "standard": STANDARD,
    "full": {**STANDARD, "autoattack": {"name": "autoattack"}},
    "labels": {
        "random_noise": {"name": "random_noise"},
        "rays": {"name": "rays", "queries": 1000},
        "hopskipjump": {"name": "hopskipjump"},
    },
}
"""Name -> attacks. ``standard`` is what a claim should survive; ``full`` adds AutoAttack, which
needs a package of its own; ``labels`` is for models that return labels only."""
_LONGER: dict[str, Ref] = {
    "square_5000": {"name": "square", "queries": 5000},
    "rays_5000": {"name": "rays", "queries": 5000},
}
FURTHER: dict[str, dict[str, Ref]] = {"standard": _LONGER, "full": _LONGER}
"""Suite -> attacks that follow on the images that are left, where those of the suite that need no
gradient broke what the others did not, or the gradient is doubtful."""
