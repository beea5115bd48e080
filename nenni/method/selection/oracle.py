"""Control: the truly largest neurons, judged on the exact outputs."""

from pydantic.dataclasses import dataclass

from nenni.core.types import Fraction
from nenni.method.selection.topk import TopK

__all__ = ["Oracle"]


@dataclass(frozen=True)
class Oracle(TopK):
    """m = 1 on the given fraction of neurons with the largest score of the exact z.

    The bound on what a better approximation could gain through better masks. It saves nothing:
    every neuron is computed before any is left out.

    Parameters
    ----------
    fraction : float
        Share of essential neurons of each sample in the layer, in [0, 1].
    """

    fraction: Fraction
    judges = "exact"
