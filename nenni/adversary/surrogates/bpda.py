"""The network itself, with the exact path's gradient."""

from torch import nn

from nenni.adversary.attack import Injected
from nenni.adversary.through import Through

__all__ = ["bpda"]


def bpda(model: Injected) -> nn.Module:
    """Each layer gives its z', rounding and mask included, and passes the gradient of z.

    Backward pass differentiable approximation (Athalye, Carlini, Wagner: Obfuscated gradients give
    a false sense of security, ICML 2018, section 4.1): it sees past roundings and masks, whatever
    their own gradient.

    Parameters
    ----------
    model : Module
        An injected network.
    """
    return Through(model, "bpda")
