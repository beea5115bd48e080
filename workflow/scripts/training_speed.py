"""Training throughput against a plain PyTorch loop, and against forward and backward passes alone.

    python workflow/scripts/training_speed.py --data data

A ResNet-18 of width 16 on CIFAR-10 (``data/cifar10/train.npz``), standard and FGSM-RS, batches of
128, one thread. The plain loop is what a user would write: a DataLoader with torchvision's
transforms, in FP32 and under bf16 autocast. The floor is the passes alone on one batch, in the
recipe's precision and layout. Wall time, taken in turns; the fastest of each counts. Run it with
nothing else running.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from _networks import read_images
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from nenni.adversary.attacks.pgd import pgd
from nenni.core import runtime
from nenni.core.checkpoint import Checkpoint
from nenni.core.io import write_csv
from nenni.data.split import Images, InMemory
from nenni.networks.models.resnet18 import resnet18
from nenni.training.objectives.fgsm_rs import FgsmRs
from nenni.training.objectives.standard import Standard
from nenni.training.recipe import Recipe
from nenni.training.train import train

BATCH, EPS, ALPHA = 128, 8 / 255, 1.25
MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616]


def network() -> nn.Module:
    """The network, the same each time."""
    torch.manual_seed(0)
    return resnet18((3, 32, 32), 10, width=16, mean=MEAN, std=STD)


def bf16(on: bool) -> AbstractContextManager[object]:
    """Autocast or nothing."""
    return torch.autocast("cpu", torch.bfloat16) if on else nullcontext()


class Pictures(Dataset[tuple[Tensor, int]]):
    """CIFAR-10 as torchvision's class gives it: PIL images through transforms."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        to_picture = v2.ToPILImage()
        self.pictures = [to_picture(image) for image in images]
        self.labels = labels.tolist()
        self.transform = v2.Compose(
            [
                v2.RandomCrop(32, padding=4),
                v2.RandomHorizontalFlip(),
                v2.PILToTensor(),
                v2.ToDtype(torch.float32, scale=True),
            ]
        )

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.pictures[index]), self.labels[index]


def plain(loader: Iterator[tuple[Tensor, Tensor]], *, adversarial: bool, low: bool) -> None:
    """An epoch of the loop that a user would write (Wong et al., algorithm 3, if adversarial)."""
    model = network().train()
    optimiser = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=5e-4)
    for x, y in loader:
        if adversarial:
            delta = torch.empty_like(x).uniform_(-EPS, EPS).requires_grad_()
            with bf16(low):
                loss = F.cross_entropy(model((x + delta).clamp(0, 1)), y)
            loss.backward()
            step = (delta + ALPHA * EPS * delta.grad.sign()).clamp(-EPS, EPS)
            x = (x + step).clamp(0, 1).detach()
        with bf16(low):
            loss = F.cross_entropy(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def ours(data: dict[str, Images], *, adversarial: bool, low: bool) -> None:
    """An epoch of :func:`nenni.training.train.train`, validation of one batch included."""
    method, attack = (FgsmRs(), partial(pgd, steps=1)) if adversarial else (Standard(), None)
    recipe = Recipe(
        1, BATCH, 0.1, method, attack, EPS, optimiser="sgd", weight_decay=5e-4, shift=4, flip=True,
        precision="bf16" if low else "fp32", channels_last=True,
    )  # fmt: skip
    model = network()
    parameters = list(model.parameters())
    train(model, data, recipe, (0,), parameters=parameters, checkpoint=Checkpoint())


def floor(x: Tensor, y: Tensor, batches: int, *, adversarial: bool, low: bool) -> None:
    """The passes alone: with input gradients in eval mode first, if adversarial."""
    model = network().to(memory_format=torch.channels_last)
    parameters = list(model.parameters())
    x = x.contiguous(memory_format=torch.channels_last)
    for _ in range(batches):
        if adversarial:
            model.eval().requires_grad_(False)
            with bf16(low):
                loss = F.cross_entropy(model(x.requires_grad_()), y)
            torch.autograd.grad(loss, x)
            model.train().requires_grad_(True)
        with bf16(low):
            loss = F.cross_entropy(model(x.detach()), y)
        torch.autograd.grad(loss, parameters)


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of cifar10/train.npz")
    parser.add_argument("--images", type=int, default=2560)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="of the plain loop's DataLoader")
    parser.add_argument("--out", type=Path, default=Path("results/reference/training_speed.csv"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runtime.keep_freed_memory()
    images, labels = (part[: arguments.images] for part in read_images(arguments.data, "train"))
    pixels = (255 * images).round().byte()
    data: dict[str, Images] = {
        "train": InMemory.of(pixels, labels), "val": InMemory.of(pixels[:BATCH], labels[:BATCH])
    }  # fmt: skip
    pictures = Pictures(pixels, labels)
    loader = partial(
        DataLoader, pictures, BATCH, shuffle=True, num_workers=arguments.workers,
        persistent_workers=False,
    )  # fmt: skip
    rows = []
    for name, adversarial in (("standard", False), ("fgsm_rs", True)):
        calls: dict[str, Callable[[], None]] = {}
        for precision, low in (("fp32", False), ("bf16", True)):
            passes = partial(floor, images[:BATCH], labels[:BATCH], len(images) // BATCH)
            calls[f"plain {precision}"] = lambda a=adversarial, b=low: plain(
                loader(), adversarial=a, low=b
            )
            calls[f"ours {precision}"] = partial(ours, data, adversarial=adversarial, low=low)
            calls[f"floor {precision}"] = partial(passes, adversarial=adversarial, low=low)
        best = dict.fromkeys(calls, float("inf"))
        for repeat in range(arguments.repeats + 1):
            for what, call in calls.items():
                started = time.perf_counter()
                call()
                if repeat:
                    best[what] = min(best[what], time.perf_counter() - started)
        for precision in ("fp32", "bf16"):
            mine = best[f"ours {precision}"]
            row = {
                "method": name,
                "precision": precision,
                "over_plain_fp32": round(best["plain fp32"] / mine, 3),
                "over_plain_same": round(best[f"plain {precision}"] / mine, 3),
                "of_floor": round(best[f"floor {precision}"] / mine, 3),
            }
            rows.append(row)
            print(row, flush=True)
    write_csv(arguments.out, pd.DataFrame(rows))


if __name__ == "__main__":
    main()
