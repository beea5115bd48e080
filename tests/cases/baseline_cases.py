"""Networks with baselines, and how they are trained and attacked."""

import torch
from torch import Tensor, nn

from nenni.adversary.attack_choice import AttackChoice
from nenni.core.checkpoint import Checkpoint
from nenni.core.seeding import seeded
from nenni.data.split import InMemory
from nenni.method.baseline import Baseline
from nenni.method.defend import defend
from nenni.networks.architecture import Architecture
from nenni.networks.build import build
from nenni.training.history import Trained
from nenni.training.objectives.standard import Standard
from nenni.training.recipe import Recipe
from nenni.training.train import train

Digits = tuple[Tensor, Tensor]
SMALL = {"name": "small_cnn", "channels": [8, 8, 16, 16], "hidden": 32}


def fresh() -> nn.Module:
    """A small network with its first weights, which knows what it is made from."""
    with seeded(1):
        return build(Architecture(SMALL, (1, 28, 28), 10))


def learned(network: nn.Module, digits: Digits, epochs: int, **choices: object) -> Trained:
    """Train a network in place on 400 digits; 200 more validate."""
    x, y = digits
    data = {"train": InMemory.of(x[:400], y[:400]), "val": InMemory.of(x[400:600], y[400:600])}
    asked = {"batch_size": 20, "lr": 4e-3, "method": Standard()} | choices
    return train(
        network, data, Recipe(epochs=epochs, **asked), (0, "test"),  # type: ignore[arg-type]
        parameters=list(network.parameters()), checkpoint=Checkpoint(None),
    )  # fmt: skip


def answers(network: nn.Module, x: Tensor, seed: int = 0) -> Tensor:
    """One pass, with this seed for what is drawn."""
    with torch.no_grad(), seeded("answers", seed):
        logits: Tensor = network(x)
    return logits


def attacked(network: nn.Module, digits: Digits, samples: int) -> Tensor:
    """Images that PGD makes of some digits, its gradient averaged over so many draws."""
    x, y = (part[600:620] for part in digits)
    pgd = AttackChoice.from_config({"name": "pgd", "steps": 5, "samples": samples, "restarts": 1})
    with seeded("attacked"):
        return pgd(network, x, y, 0.2, torch.Generator().manual_seed(0))


def defended(network: nn.Module, baseline: Baseline, digits: Digits) -> nn.Module:
    """With a baseline, calibrated on 60 digits."""
    return defend(network, baseline, digits[0][:60])
