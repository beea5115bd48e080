"""The moving average of a network in training."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nenni.networks.copying import copied


class Average(AveragedModel):
    """Moving average of weights and buffers.

    A buffer that is infinite, as the threshold of a selection that takes all neurons or none, has
    no average: there it is that of the network.

    Parameters
    ----------
    model : Module
        What is trained.
    decay : float
        Share of the average that a step leaves.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        rule = get_ema_multi_avg_fn(decay)
        super().__init__(copied(model), multi_avg_fn=rule, use_buffers=True)

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take the network as it is after a step."""
        super().update_parameters(model)
        for mine, own in zip(self.module.buffers(), model.buffers(), strict=True):
            mine.copy_(torch.where(mine.isfinite(), mine, own.to(mine)))
