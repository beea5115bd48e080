"""What foolbox and torchattacks find on a small network and 200 digits, for the tests.

    python workflow/scripts/attack_oracles.py

Needs foolbox and torchattacks, which nothing else here does. Trains the network first where its
file is missing; writes network.safetensors and values.json, with the versions, to
tests/nenni/adversary/oracles.
"""

import argparse
import importlib.metadata
import json
import platform
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


def main() -> None:
    """Train if need be, attack with both libraries, write what they find."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    import foolbox
    import torchattacks

    torch.set_num_threads(1)
    file = FOLDER / "network.safetensors"
    if not file.exists():
        write_tensors(file, train().state_dict(), {})
    model = network()
    model.load_state_dict(read_tensors(file)[0])
    x, y = (part[-200:] for part in digits())

    def accuracy(images: Tensor) -> float:
        return float((model(images).argmax(1) == y).double().mean())

    def by_norm(images: Tensor, inputs: Tensor) -> float:
        """Accuracy where only perturbations within the L2 radius count."""
        near = (images - inputs).flatten(1).norm(dim=1) <= L2
        return accuracy(torch.where(near[:, None, None, None], images, inputs))

    step = 2.5 / STEPS
    grey = GREY + (1 - 2 * GREY) * x
    fmodel = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    fgsm = foolbox.attacks.LinfFastGradientAttack()
    pgd_foolbox = foolbox.attacks.LinfPGD(rel_stepsize=step, steps=STEPS, random_start=False)
    pgd_l2 = foolbox.attacks.L2PGD(rel_stepsize=step, steps=STEPS, random_start=False)
    ddn = foolbox.attacks.DDNAttack(steps=100)
    pgd_linf = torchattacks.PGD(model, eps=LINF, alpha=step * LINF, steps=STEPS, random_start=False)
    cw = torchattacks.CW(model, c=1, kappa=0, steps=CW_STEPS, lr=CW_LR)
    torch.manual_seed(0)
    values = {
        "clean": accuracy(x),
        "foolbox": {
            "fgsm": accuracy(fgsm(fmodel, x, y, epsilons=LINF)[1]),
            "pgd": accuracy(pgd_foolbox(fmodel, x, y, epsilons=LINF)[1]),
            "pgd_l2": accuracy(pgd_l2(fmodel, x, y, epsilons=L2)[1]),
            "ddn": by_norm(ddn(fmodel, x, y, epsilons=None)[1], x),
        },
        "torchattacks": {
            "fgsm": accuracy(torchattacks.FGSM(model, eps=LINF)(x, y)),
            "pgd": accuracy(pgd_linf(x, y)),
            "cw_l2": by_norm(cw(grey, y), grey),
        },
    }  # fmt: skip
    versions = {
        name: importlib.metadata.version(name) for name in ("foolbox", "torchattacks", "torch")
    }
    settings = {
        "linf": LINF,
        "l2": L2,
        "steps": STEPS,
        "cw_steps": CW_STEPS,
        "cw_lr": CW_LR,
        "grey": GREY,
    }
    about = {"python": platform.python_version(), **versions}
    write_json(
        FOLDER / "values.json", {"versions": about, "settings": settings, "accuracy": values}
    )
    print(json.dumps(values, indent=1))


if __name__ == "__main__":
    main()
