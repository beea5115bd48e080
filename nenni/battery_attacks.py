"""The attacks of the diagnostics, apart from their code: the workflow's plan names them too."""

from typing import Any

Config = dict[str, Any]

STEPS = 20
PGD: Config = {"name": "pgd", "steps": STEPS}
_ADAPTIVE: Config = {"name": "pgd", "steps": 2 * STEPS, "loss": "margin"}
ATTACKS: dict[str, Config] = {
    "fgsm": {"name": "fgsm"},
    "random_noise": {"name": "random_noise"},
    "pgd": PGD,
    "twice_steps": {**PGD, "steps": 2 * STEPS},
    "restarts": {**PGD, "restarts": 5},
    "margin": {**PGD, "loss": "margin"},
    "dlr": {**PGD, "loss": "dlr"},
    "square": {"name": "square", "queries": 500},
    "smoothed": {**_ADAPTIVE, "samples": 10, "sigma": 0.05},
    "exact_path": {**_ADAPTIVE, "surrogate": {"name": "exact_path"}},
    "approximate_path": {**_ADAPTIVE, "surrogate": {"name": "approximate_path"}},
    "soft_mask": {**_ADAPTIVE, "surrogate": {"name": "soft_mask"}},
    "bpda": {**_ADAPTIVE, "surrogate": {"name": "bpda"}},
    "mask_flip": {"name": "mask_flip", "steps": 2 * STEPS},
}
