"""How many attacks the diagnostics make, for who says what time is left."""

from collections.abc import Collection

from nenni.adversary.suites import applicable, read_suite
from nenni.core.types import Norm
from nenni.evaluation.battery_attacks import ATTACKS, EPS_FACTORS, LOGITS, STEP_COUNTS

_OTHERS = 2
"""PGD at L-inf 0.5, and without a bound."""


def count_attacks(norm: Norm, *, injected: bool, has_noise: bool, made: Collection[str]) -> int:
    """Number of attacks that the diagnostics make and tell of, but for one by transfer.

    Parameters
    ----------
    norm : "linf" or "l2"
        What bounds them.
    injected : bool
        Whether the network is of this method.
    has_noise : bool
        Whether it has a noise that can be switched off, as those of this method have.
    made : collection of str
        Names of those that were made before on these images.
    """
    compared = applicable(read_suite(ATTACKS, norm), injected=injected, randomised=False, samples=1)
    probes = len(LOGITS) + len(EPS_FACTORS) + len(STEP_COUNTS) + _OTHERS + has_noise
    return 1 + len(compared.keys() - {"pgd_20", *made}) + probes
