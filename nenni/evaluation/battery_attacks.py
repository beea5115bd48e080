"""The attacks of the diagnostics, apart from their code: the workflow's plan names them too.

Those that the suite ``standard`` has bear its names, so that neither repeats what the other did.
"""

from nenni.adversary.suite_attacks import SMOOTHED, STANDARD, THROUGH
from nenni.core.plugins import Ref

STEPS = 20
PGD: Ref = STANDARD["pgd_20"]
UNTARGETED: dict[str, Ref] = {
    "pgd_20": PGD,
    "twice_steps": {**PGD, "steps": 2 * STEPS},
    "restarts": {**PGD, "restarts": 5},
    "margin": {**PGD, "loss": "margin"},
    "dlr": {**PGD, "loss": "dlr"},
    "apgd_margin": STANDARD["apgd_margin"],
    "apgd_pm": STANDARD["apgd_pm"],
}
"""Away from the label, by the network's own gradient."""
WHITE_BOX: dict[str, Ref] = {**UNTARGETED, "apgd_targeted": STANDARD["apgd_targeted"]}
"""By the network's own gradient."""
ADAPTIVE: dict[str, Ref] = {"smoothed": SMOOTHED, **THROUGH}
"""Attacks by another gradient: of a smoothed loss, or through one path of the method."""
BLACK_BOX: dict[str, Ref] = {name: STANDARD[name] for name in ("square", "rays")}
"""By the logits, or the labels, alone."""
ATTACKS: dict[str, Ref] = {
    "fgsm": STANDARD["fgsm"],
    "random_noise": STANDARD["random_noise"],
    **WHITE_BOX,
    **ADAPTIVE,
    **BLACK_BOX,
}
EPS_FACTORS = (0.25, 0.5, 1.5, 2.0)
"""Other radii of PGD, in multiples of eps."""
STEP_COUNTS = (1, 5, 10, 5 * STEPS)
"""Other numbers of its steps."""
LOGITS = (0.1, 10)
"""What logits are multiplied by."""
