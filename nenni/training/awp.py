"""Adversarial weight perturbation, on top of any adversarial method."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nenni.method.noisy_layer import NoisyLayer
from nenni.training.processes import mean_over_processes

_TINY = 1e-12
_LINEAR = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    nn.Linear, nn.MultiheadAttention,
)  # fmt: skip
"""Layers whose weights are perturbed."""


@contextmanager
def perturbed_weights(
    model: nn.Module, loss: Callable[[], tuple[Tensor, Tensor]], gamma: float
) -> Iterator[None]:
    """Within, the weights w are w + v with v = gamma |w| g / |g|, g the gradient of the loss.

    Wu, Xia, Wang: Adversarial weight perturbation helps robust generalization, NeurIPS 2020,
    eqs. 8 to 10 with one step. Weights of convolutions and linear layers, those in attention too,
    and W~ of injected layers are perturbed, each tensor by itself; biases, norms, embeddings and
    learned noises are not, and batch statistics stay as they were. Afterwards each weight is what
    it was, to the last bit.

    Parameters
    ----------
    model : Module
        What is trained.
    loss : callable
        Its mean loss on a batch, with the weights as they are, and the logits.
    gamma : float
        Length of v relative to that of w.
    """
    weights = _weights(model)
    statistics = {name: buffer.clone() for name, buffer in model.named_buffers()}
    calm = loss()[0]
    gradients = torch.autograd.grad(calm, weights, allow_unused=True) if weights else ()
    before = [w.detach().clone() for w in weights]
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(statistics[name])
        for w, g in zip(weights, gradients, strict=True):
            if g is not None:
                w.add_(perturbation(w, mean_over_processes(g), gamma))
    try:
        yield
    finally:
        with torch.no_grad():
            for w, own in zip(weights, before, strict=True):
                w.copy_(own)


def perturbation(w: Tensor, gradient: Tensor, gamma: float) -> Tensor:
    """V of one weight tensor: along its gradient, with gamma times its own length."""
    v: Tensor = gamma * w.detach().norm() / gradient.norm().clamp_min(_TINY) * gradient
    return v


def _weights(model: nn.Module) -> list[nn.Parameter]:
    """Those that are perturbed, of what is trained; of parametrised layers what they come from."""
    found: dict[nn.Parameter, None] = {}
    for module in model.modules():
        if isinstance(module, NoisyLayer):
            found[module.W_tilde] = None
        elif isinstance(module, _LINEAR):
            for name, p in module.named_parameters():
                if p.dim() > 1 and not name.startswith("bias"):
                    found[p] = None
    return [p for p in found if p.requires_grad]
