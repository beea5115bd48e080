"""An attack as a config names it: its parameters, and what it differentiates."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nenni.adversary import attack_config
from nenni.adversary.judge import Watched
from nenni.core import plugins
from nenni.core.types import Norm


@dataclass(frozen=True)
class AttackChoice:
    """An attack with its parameters, and what it differentiates.

    Parameters
    ----------
    name : str
        A module of :mod:`nenni.adversary.attacks`.
    arguments : dict
        Its keyword parameters, the defaults among them.
    surrogate : dict or None
        A module of :mod:`nenni.adversary.surrogates`, as ``{"name": ..., ...}``: what is attacked
        in place of an injected network.
    compile : bool
        What is asked is compiled meanwhile, see :func:`nenni.networks.compiled.compiled`.
    """

    name: str
    arguments: dict[str, Any]
    surrogate: dict[str, Any] | None = None
    compile: bool = False

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "AttackChoice":
        """From a checked entry of a config, e.g. ``{"name": "pgd", "steps": 20, ...}``."""
        arguments = plugins.arguments(config)
        surrogate = arguments.pop("surrogate", None)
        return cls(config["name"], arguments, surrogate, arguments.pop("compile", False))

    @property
    def injected_only(self) -> bool:
        """Whether it is an attack on injected networks alone."""
        return attack_config.injected_only({"name": self.name, "surrogate": self.surrogate})

    @property
    def norm(self) -> Norm:
        """What eps bounds."""
        norm: Norm = self.arguments["norm"]
        return norm

    @property
    def targeted(self) -> bool:
        """Whether a class is aimed at: the most likely wrong one of the clean image."""
        return bool(self.arguments.get("targeted", False))

    def through(self, network: nn.Module) -> nn.Module:
        """What is asked for gradients: the surrogate of a network, or the network itself."""
        if self.surrogate is None:
            return network
        build = plugins.load("surrogate", self.surrogate["name"])
        surrogate: nn.Module = build(network, **plugins.arguments(self.surrogate))
        return surrogate

    def __call__(
        self,
        model: nn.Module,
        inputs: Tensor,
        labels: Tensor,
        eps: float,
        generator: torch.Generator,
    ) -> Tensor:
        """Adversarial images; a model that is watched is asked as it is.

        Who trains by an attack has looked at model and images before: nothing is checked again.
        """
        if not isinstance(model, Watched):
            rows = torch.arange(len(inputs), device=inputs.device)
            model = Watched(self.through(model), None, rows)
        attack = plugins.load("attack", self.name)
        images: Tensor = attack(model, inputs, labels, eps, generator, **self.arguments)
        return images.detach()
