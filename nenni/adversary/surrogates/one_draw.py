"""A network that draws, with the same draws in every pass."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nenni.core.seeding import seeded

__all__ = ["one_draw"]


def one_draw(model: nn.Module) -> nn.Module:
    """An attacker who draws once a batch takes a random network for a fixed one.

    The images meet other draws. So Dong and Xu (Random projection filters, CVPR 2023) attack
    theirs, whose filters are drawn before the attack and anew before scoring. How much weaker that
    is than an average over draws (Athalye, Carlini, Wagner: Obfuscated gradients give a false sense
    of security, ICML 2018, section 4.2) says how much of a robustness is chance.

    Parameters
    ----------
    model : Module
        Any network; one that draws nothing is itself. The draws hang on the seed of torch's global
        state, which an evaluation sets for each batch.
    """
    return _OneDraw(model)


class _OneDraw(nn.Module):
    reseeds: ClassVar[bool] = True

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.training = getattr(model, "training", False)

    def forward(self, x: Tensor) -> Tensor:
        with seeded("one draw", torch.initial_seed()):
            logits: Tensor = self.model(x)
        return logits
