"""Exact top-k masks, shared by the selections that rank neurons."""

import torch
from torch import Tensor


def largest(score: Tensor, fraction: float) -> Tensor:
    """Mask of the round(fraction * size) largest neurons of each sample of a score (N, ...).

    The count holds exactly whatever the ties. A NaN ranks below every number.
    """
    flat = score.detach().flatten(1)
    flat = flat.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    n = flat.shape[1]
    k = round(fraction * n)
    if 2 * k <= n:
        chosen, rest = flat.topk(k, dim=1, sorted=False).indices, False
    else:
        chosen, rest = flat.topk(n - k, dim=1, largest=False, sorted=False).indices, True
    mask = torch.full_like(flat, rest, dtype=torch.bool)
    return mask.scatter_(1, chosen, not rest).view(score.shape)
