"""The attacks of the diagnostics, apart from their code: the workflow's plan names them too."""

from nenni.core.plugins import Ref

STEPS = 20
PGD: Ref = {"name": "pgd", "steps": STEPS}
_MARGIN: Ref = {"name": "pgd", "steps": 2 * STEPS, "loss": "margin"}
WHITE_BOX: dict[str, Ref] = {
    "pgd": PGD,
    "twice_steps": {**PGD, "steps": 2 * STEPS},
    "restarts": {**PGD, "restarts": 5},
    "margin": {**PGD, "loss": "margin"},
    "dlr": {**PGD, "loss": "dlr"},
}
"""PGD by the network's own gradient."""
ADAPTIVE: dict[str, Ref] = {
    "smoothed": {**_MARGIN, "samples": 10, "sigma": 0.05},
    "exact_path": {**_MARGIN, "surrogate": {"name": "exact_path"}},
    "approximate_path": {**_MARGIN, "surrogate": {"name": "approximate_path"}},
    "soft_mask": {**_MARGIN, "surrogate": {"name": "soft_mask"}},
    "bpda": {**_MARGIN, "surrogate": {"name": "bpda"}},
    "mask_flip": {"name": "mask_flip", "steps": 2 * STEPS},
}
"""Attacks by another gradient: of a smoothed loss, or through one path of the method."""
ATTACKS: dict[str, Ref] = {
    "fgsm": {"name": "fgsm"},
    "random_noise": {"name": "random_noise"},
    **WHITE_BOX,
    "square": {"name": "square", "queries": 500},
    **ADAPTIVE,
}
