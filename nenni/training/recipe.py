"""How a network is trained."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nenni.adversary.attack import Attack
from nenni.adversary.attack_choice import AttackChoice
from nenni.core import plugins, radius
from nenni.core.fused_adam import fused_adam
from nenni.core.types import Count, Decay, Fraction, Index, NonNegative, Positive, Radius
from nenni.training.augmentation import flipped, shifted
from nenni.training.objective import Objective
from nenni.training.processes import share
from nenni.training.schedule import Schedule
from nenni.training.schedules.cosine import cosine


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    epochs, batch_size : int
        Length and batch size.
    lr : float
        Rate at its highest.
    method : Objective
        What is learned from a batch: see :mod:`nenni.training.objectives`.
    attack : callable or None
        The attack of validation, and of methods that train on one.
    eps : float
        Radius; in Python in units of the [0, 1] input.
    eps_ramp : float
        Share of the steps along which eps rises linearly from 0, in [0, 1].
    schedule : callable
        (step, steps) -> factor on `lr`; see :mod:`nenni.training.schedules`.
    optimiser : "adam" or "sgd"
        SGD is with `momentum`.
    momentum : float
        Of SGD.
    weight_decay : float
        L2 penalty.
    accumulate : int
        Parts in which a batch goes through the network, their gradients added.
    shift : int
        Augmentation: shifts by up to so many pixels in each direction.
    flip : bool
        Augmentation: mirrored left to right.
    awp : float
        Relative length gamma of adversarial weight perturbations; 0 is none.
    average : float
        Decay of an exponential moving average of the weights, which is then the result; 0 is none.
    precision : "fp32" or "bf16"
        Of the forward and backward passes of training; weights stay FP32.
    channels_last : bool
        Memory layout NHWC while training.
    compile : bool
        Passes by ``torch.compile``, where a compiler is found: see
        :func:`nenni.networks.compiled.compiled`.

    Raises
    ------
    UserError
        If eps is no radius of the norm that the method or the attack keeps.
    """

    epochs: Count
    batch_size: Count
    lr: Positive
    method: Objective
    attack: Attack | None = None
    eps: Radius = 0.0
    eps_ramp: Fraction = 0.0
    schedule: Schedule = cosine
    optimiser: Literal["adam", "sgd"] = "adam"
    momentum: Decay = 0.9
    weight_decay: NonNegative = 0.0
    accumulate: Count = 1
    shift: Index = 0
    flip: bool = False
    awp: NonNegative = 0.0
    average: Decay = 0.0
    precision: Literal["fp32", "bf16"] = "fp32"
    channels_last: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        for part in (self.method, self.attack):
            if (norm := getattr(part, "norm", None)) is not None:
                radius.check(self.eps, norm)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Recipe":
        """From a ``recipe`` slice."""
        rest = dict(config)
        schedule = rest.pop("schedule")
        choices: dict[str, Any] = {
            "method": plugins.build("method", rest.pop("method")),
            "schedule": partial(
                plugins.load("schedule", schedule["name"]), **plugins.arguments(schedule)
            ),
        }
        if (asked := rest.pop("attack")) is not None:
            choices["attack"] = AttackChoice.from_config(asked)
        return cls(**(rest | choices))

    def radius(self, step: int, steps: int) -> float:
        """Eps at a step."""
        return self.eps * min(1.0, step / (self.eps_ramp * steps)) if self.eps_ramp else self.eps

    def build_optimiser(
        self, parameters: list[nn.Parameter], noise: list[nn.Parameter]
    ) -> torch.optim.Optimizer:
        """What changes the weights, and a noise that is learned by steps of its own.

        Weight decay is for weights alone: such a noise has a penalty of its own.
        """
        own = {*noise}
        weights = [parameter for parameter in parameters if parameter not in own]
        learned = [parameter for parameter in parameters if parameter in own]
        groups: list[dict[str, Any]] = [{"params": weights, "weight_decay": self.weight_decay}]
        groups += [{"params": learned, "weight_decay": 0.0}] if learned else []
        if self.optimiser == "adam":
            return fused_adam(groups, self.lr)
        return torch.optim.SGD(groups, self.lr, momentum=self.momentum)

    def augment(self, x: Tensor, n: int, generator: torch.Generator) -> Tensor:
        """Augmented images, in the layout of training: this process's share of a batch of n."""
        mine = share(torch.arange(n))
        if self.shift:
            offset = self.shift - torch.randint(2 * self.shift + 1, (2, n), generator=generator)
            x = shifted(x, offset[:, mine])
        if self.flip:
            x = flipped(x, (torch.rand(n, generator=generator) < 0.5)[mine])
        return x.contiguous(memory_format=torch.channels_last) if self.channels_last else x

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Within, passes are in the recipe's precision."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(device.type, torch.bfloat16)
