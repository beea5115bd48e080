"""The ternary matrix that the projections share."""

import math

import torch
from torch import Tensor


def ternary(k: int, d: int, generator: torch.Generator) -> Tensor:
    """Matrix (k, d) in sqrt(3/k) * {-1, 0, +1} with probabilities 1/6, 2/3, 1/6.

    |Px|^2 is unbiased for |x|^2 (Achlioptas, J. Computer and System Sciences 66, 2003, theorem 1.1;
    NENNI, section 3). Two thirds of the products vanish and the others are additions.
    """
    die = torch.randint(6, (k, d), generator=generator, device=generator.device)
    signs = (die == 0).float() - (die == 1).float()
    return math.sqrt(3 / k) * signs
