"""Images a second of FGSM-RS training on a GPU, of the plain and of injected networks.

    python workflow/scripts/fgsm_rs_speed.py --device cuda [--width 64] [--batch 128]

ResNet-18 and random 32 x 32 images, through :func:`nenni.training.train.train` as a recipe has it:
batches of 128, SGD, shifts and flips, channels last, validation of one batch. Each row is the last
of two epochs, in which nothing is captured or compiled anew. Eager passes are those without CUDA
graphs, which a GPU otherwise has. Run it with nothing else running.
"""

import argparse
from functools import partial
from itertools import product
from pathlib import Path
from unittest import mock

import pandas as pd
import torch
from _machine import device_name
from _tables import keep
from torch import nn

import nenni
from nenni.adversary.attacks.pgd import pgd
from nenni.core import runtime
from nenni.core.checkpoint import Checkpoint
from nenni.data.split import Images, InMemory
from nenni.method.fitting.scales import calibrate_scales
from nenni.method.injection import inject
from nenni.method.spec import InjectionSpec
from nenni.method.visit import SeenInExact
from nenni.networks.models.resnet18 import resnet18
from nenni.networks.replayed import replayed
from nenni.training import train as training
from nenni.training.objectives.fgsm_rs import FgsmRs
from nenni.training.recipe import Recipe

TABLE = Path(__file__).parents[2] / "results" / "reference" / "fgsm_rs_speed.csv"
SELECTIONS = {"plain": None, "top-k": nenni.TopK(0.5), "2:4": nenni.NM(2, 4)}
"""Networks; injected ones with shared taps at 1/8 and 4 bits."""
PASSES = ("eager", "graphs", "compiled")
OF = ["device", "network", "precision", "passes"]


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--width", type=int, default=64, help="channels of the first stage")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=40, help="in an epoch")
    parser.add_argument("--networks", nargs="+", choices=SELECTIONS, default=list(SELECTIONS))
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16"), default=["bf16"])
    parser.add_argument("--passes", nargs="+", choices=PASSES, default=list(PASSES))
    parser.add_argument("--exact", action="store_true", help="deterministic algorithms")
    parser.add_argument("--out", type=Path, default=TABLE)
    asked = parser.parse_args()
    device = runtime.prepare({"threads": 1, "device": asked.device, "deterministic": asked.exact})
    for which in product(asked.networks, asked.precisions, asked.passes):
        network, precision, passes = which
        torch._dynamo.reset()
        row = {
            "device": device_name(device), "network": network, "precision": precision,
            "passes": passes, "deterministic": int(asked.exact), "width": asked.width,
            "batch": asked.batch, "images_a_second": round(speed(*which, asked, device)),
        }  # fmt: skip
        print(row, flush=True)
        keep(asked.out, pd.DataFrame([row]), [*OF, "deterministic"])


def speed(
    network: str, precision: str, passes: str, asked: argparse.Namespace, device: torch.device
) -> float:
    """Images a second of the second epoch."""
    torch.manual_seed(0)
    n = asked.batch * asked.steps
    pixels = torch.randint(256, (n, 3, 32, 32), dtype=torch.uint8).to(device)
    labels = torch.randint(10, (n,)).to(device)
    data: dict[str, Images] = {
        "train": InMemory.of(pixels, labels),
        "val": InMemory.of(pixels[: asked.batch], labels[: asked.batch]),
    }
    recipe = Recipe(
        2, asked.batch, 0.05, FgsmRs(), partial(pgd, steps=1), 8 / 255, optimiser="sgd",
        weight_decay=5e-4, shift=4, flip=True, precision="bf16" if precision == "bf16" else "fp32",
        channels_last=True, compile=passes == "compiled",
    )  # fmt: skip
    model = _network(network, asked.width).to(device)
    eager = mock.patch.object(training, "replayed", lambda model, device: replayed(model, _NO_GPU))
    with eager if passes == "eager" else mock.patch.object(training, "replayed", replayed):
        trained = training.train(
            model, data, recipe, (0,), parameters=[*model.parameters()], checkpoint=Checkpoint()
        )
    return n / trained.seconds[-1]


_NO_GPU = torch.device("cpu")


def _network(name: str, width: int) -> nn.Module:
    model = resnet18((3, 32, 32), 10, width=width).eval()
    selection = SELECTIONS[name]
    if selection is None:
        return model
    images = torch.rand(16, 3, 32, 32)
    noisy = inject(model, InjectionSpec(selection, nenni.TapShared(1 / 8)), images[:1])
    calibrate_scales(SeenInExact(noisy, images, len(images)))
    return noisy


if __name__ == "__main__":
    main()
