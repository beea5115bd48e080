"""The attacks of the named suites, apart from their code: the workflow's plan names them too."""

from nenni.core.plugins import Ref

_APGD: Ref = {"name": "apgd", "loss": "pm", "steps": 50}
_TOWARDS: Ref = {"name": "apgd_targeted", "steps": 40}

QUICK: dict[str, Ref] = {
    "fgsm": {"name": "fgsm"},
    "pgd_20": {"name": "pgd", "steps": 20},
}
THROUGH: dict[str, Ref] = {
    "soft_mask": {**_APGD, "surrogate": {"name": "soft_mask"}},
    "soft_mask_wide": {
        **_APGD,
        "loss": "ce",
        "surrogate": {"name": "soft_mask", "temperature": 0.3},
    },
    "soft_mask_targeted": {**_TOWARDS, "surrogate": {"name": "soft_mask"}},
    "exact_path": {**_APGD, "surrogate": {"name": "exact_path"}},
    "approximate_path": {**_APGD, "surrogate": {"name": "approximate_path"}},
    "bpda": {**_APGD, "surrogate": {"name": "bpda"}},
    "mask_flip": {"name": "mask_flip"},
}
"""On an injected network, by the gradient of something else than itself."""
SMOOTHED: Ref = {"name": "pgd", "loss": "margin", "steps": 20, "samples": 5, "sigma": 0.05}
STANDARD: dict[str, Ref] = {
    **QUICK,
    "apgd_margin": {**_APGD, "loss": "margin", "steps": 100},
    "apgd_pm": {**_APGD, "steps": 100},
    **THROUGH,
    "apgd_targeted": _TOWARDS,
    "ddn": {"name": "ddn"},
    "cw_l2": {"name": "cw_l2"},
    "deepfool": {"name": "deepfool", "norm": "l2"},
    "random_noise": {"name": "random_noise"},
    "square": {"name": "square", "queries": 1500},
    "rays": {"name": "rays", "queries": 300},
}
CARD = "card"
_OF_A_CARD = (
    "fgsm", "pgd_20", "apgd_margin", "apgd_pm", "soft_mask", "bpda", "apgd_targeted", "square",
)  # fmt: skip
SUITES: dict[str, dict[str, Ref]] = {
    "quick": QUICK,
    CARD: {name: STANDARD[name] for name in _OF_A_CARD},
    "standard": STANDARD,
    "full": {**STANDARD, "autoattack": {"name": "autoattack"}},
    "labels": {
        "random_noise": {"name": "random_noise"},
        "rays": {"name": "rays", "queries": 1000},
        "hopskipjump": {"name": "hopskipjump"},
    },
}
"""Name -> attacks. ``card`` is what a card has where nobody wants to wait: those that the
diagnostics make too. ``standard`` is what a claim should survive; ``full`` adds AutoAttack, which
needs a package of its own; ``labels`` is for models that return labels only."""
_LONGER: dict[str, Ref] = {
    "smoothed": SMOOTHED,
    "square_5000": {"name": "square", "queries": 5000},
    "rays_5000": {"name": "rays", "queries": 5000},
    "hopskipjump": {"name": "hopskipjump", "norm": "l2", "steps": 30},
}
FURTHER: dict[str, dict[str, Ref]] = {"standard": _LONGER, "full": _LONGER}
"""Suite -> attacks on the images that are left, where the gradient is doubtful."""
AFTER = {"square_5000": "square", "rays_5000": "rays"}
"""Of those, one that follows an attack too that broke what those before it did not."""
