"""What foolbox and torchattacks find on a small network and 200 digits, for the tests.

    python workflow/scripts/attack_oracles.py

Needs foolbox and torchattacks, which nothing else here does. Trains the network first where its
file is missing; writes network.safetensors and values.json, with the versions, to
tests/nenni/adversary/oracles.
"""

import argparse
import json
import platform
from importlib.metadata import version
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.adversary.attacks.pgd import pgd
from nenni.core.io import read_tensors, write_json, write_tensors
from nenni.core.seeding import generator
from nenni.data.datasets.mnist5k import mnist5k
from nenni.networks.models.small_cnn import small_cnn

FOLDER = Path("tests/nenni/adversary/oracles")
LINF, STEPS, L2 = 0.1, 20, 1.0
STEP = 2.5 / STEPS
CW_STEPS, CW_LR = 100, 0.05
GREY = 0.02
"""CW gets digits between this and 1 less this: torchattacks never changes black and white."""


def digits() -> tuple[Tensor, Tensor]:
    """All 5,000 digits in a fixed random order; the last 200 are attacked."""
    images, labels = mnist5k().train.pixels, mnist5k().train.labels
    order = torch.randperm(len(images), generator=generator("oracles"))
    return torch.from_numpy(images)[order].float() / 255, torch.from_numpy(labels)[order]


def network() -> nn.Module:
    """The network whose weights are kept."""
    return small_cnn((1, 28, 28), 10, channels=[4, 8, 8, 8], hidden=16).eval()


def train() -> nn.Module:
    """A few epochs against PGD at half the radius, so that no accuracy is 0 or 1."""
    torch.manual_seed(0)
    model = network()
    images, labels = (part[:4000] for part in digits())
    optimiser, draws = torch.optim.Adam(model.parameters(), 3e-3), generator("oracles", "train")
    for _ in range(6):
        for batch in torch.randperm(len(images), generator=draws).split(50):
            x, y = images[batch], labels[batch]
            x = pgd(model, x, y, LINF / 2, draws, steps=4)
            loss = F.cross_entropy(model(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of the images that are classified correctly."""
    return float((model(images).argmax(1) == labels).double().mean())


def accuracy_within(model: nn.Module, found: Tensor, inputs: Tensor, labels: Tensor) -> float:
    """Accuracy where only perturbations within the L2 radius count."""
    near = (found - inputs).flatten(1).norm(dim=1) <= L2
    return accuracy(model, torch.where(near[:, None, None, None], found, inputs), labels)


def by_foolbox(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, float]:
    """Accuracy under each of foolbox's attacks."""
    import foolbox

    fmodel = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    path = {"rel_stepsize": STEP, "steps": STEPS, "random_start": False}
    bounded = {
        "fgsm": (foolbox.attacks.LinfFastGradientAttack(), LINF),
        "pgd": (foolbox.attacks.LinfPGD(**path), LINF),
        "pgd_l2": (foolbox.attacks.L2PGD(**path), L2),
    }
    found = {
        name: accuracy(model, attack(fmodel, x, y, epsilons=eps)[1], y)
        for name, (attack, eps) in bounded.items()
    }
    smallest = foolbox.attacks.DDNAttack(steps=100)(fmodel, x, y, epsilons=None)[1]
    return found | {"ddn": accuracy_within(model, smallest, x, y)}


def by_torchattacks(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, float]:
    """Accuracy under each of torchattacks' attacks."""
    import torchattacks

    grey = GREY + (1 - 2 * GREY) * x
    pgd_linf = torchattacks.PGD(model, eps=LINF, alpha=STEP * LINF, steps=STEPS, random_start=False)
    cw = torchattacks.CW(model, c=1, kappa=0, steps=CW_STEPS, lr=CW_LR)
    return {
        "fgsm": accuracy(model, torchattacks.FGSM(model, eps=LINF)(x, y), y),
        "pgd": accuracy(model, pgd_linf(x, y), y),
        "cw_l2": accuracy_within(model, cw(grey, y), grey, y),
    }


def main() -> None:
    """Train if need be, attack with both libraries, write what they find."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    file = FOLDER / "network.safetensors"
    if not file.exists():
        write_tensors(file, train().state_dict(), {})
    model = network()
    model.load_state_dict(read_tensors(file)[0])
    x, y = (part[-200:] for part in digits())
    torch.manual_seed(0)
    values = {
        "clean": accuracy(model, x, y),
        "foolbox": by_foolbox(model, x, y),
        "torchattacks": by_torchattacks(model, x, y),
    }
    versions = {name: version(name) for name in ("foolbox", "torchattacks", "torch")}
    about = {"python": platform.python_version(), **versions}
    settings = {
        "linf": LINF, "l2": L2, "steps": STEPS, "cw_steps": CW_STEPS, "cw_lr": CW_LR, "grey": GREY,
    }  # fmt: skip
    written = {"versions": about, "settings": settings, "accuracy": values}
    write_json(FOLDER / "values.json", written)
    print(json.dumps(values, indent=1))


if __name__ == "__main__":
    main()
