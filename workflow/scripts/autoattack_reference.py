"""What AutoAttack finds on networks that others trained, image by image.

    python workflow/scripts/autoattack_reference.py --weights DIR --data DIR --device cuda

Folders as for attack_reference.py, and ``resnet18_fgsmrs_cifar10.safetensors`` among the weights.
Beside AutoAttack stand PGD-20 and this project's suite ``standard``, with the passes and the
seconds that each took. Seconds are of this machine, on which nothing else should run.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from _networks import read_images, read_lenet5, read_resnet2b, read_resnet18
from torch import Tensor, nn

import nenni
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.core.io import write_csv

NETWORKS: dict[str, tuple[Callable[[Path], nn.Module], str, float]] = {
    "resnet18_fgsmrs": (read_resnet18, "cifar10", 8 / 255),
    "resnet2b": (read_resnet2b, "cifar10", 2 / 255),
    "lenet5": (read_lenet5, "mnist", 0.3),
}
"""Name -> how it is read, its dataset, and the L-inf radius that it was trained at."""
SUITES: dict[str, Any] = {
    "pgd_20": {"pgd_20": {"name": "pgd", "steps": 20}},
    "standard": "standard",
    "autoattack": {"autoattack": {"name": "autoattack"}},
}


class Passes:
    """Images that went forward and backward; copies of a network count together."""

    def __init__(self) -> None:
        self.forwards = self.backwards = 0

    def __deepcopy__(self, _: Any) -> "Passes":
        return self

    def count_back(self, gradient: Tensor) -> None:
        """A hook on the logits."""
        self.backwards += len(gradient)


class Counted(nn.Module):
    """A network that counts its passes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.passes = network, Passes()

    def forward(self, x: Tensor) -> Tensor:
        """The network's logits."""
        self.passes.forwards += len(x)
        logits: Tensor = self.network(x)
        if logits.requires_grad:
            logits.register_hook(self.passes.count_back)
        return logits


@contextmanager
def timed(device: torch.device) -> Iterator[list[float]]:
    """Within, seconds are counted; what the device was asked for is waited for."""
    seconds = [time.perf_counter()]
    yield seconds
    if device.type == "cuda":
        torch.cuda.synchronize()
    seconds[0] = time.perf_counter() - seconds[0]


def main() -> None:
    """Parse the command line, attack, and write both tables after each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10, mnist")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--examples", type=int, default=500, help="the first so many test images")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path, default=Path("results/reference/autoattack"))
    arguments = parser.parse_args()
    device = runtime.prepare({"threads": 1, "device": arguments.device})
    named = torch.cuda.get_device_name() if device.type == "cuda" else "CPU, one thread"
    rows, flags = [], []
    for name in arguments.networks:
        read, dataset, eps = NETWORKS[name]
        try:
            network = read(arguments.weights).to(device)
            images, labels = read_images(arguments.data, "test", dataset)
        except UserError as error:
            sys.exit(str(error))
        images, labels = images[: arguments.examples], labels[: arguments.examples]
        table = pd.DataFrame({"network": name, "index": range(len(images))})
        network(images[:2].to(device))
        for title, suite in SUITES.items():
            counted = Counted(network).eval()
            with timed(device) as seconds:
                found = nenni.evaluate(
                    counted, (images.to(device), labels.to(device)), suite, eps=eps
                )
            least = found.examples.groupby("index")["adv_correct"].min()
            clean = found.examples.groupby("index")["clean_correct"].min()
            table["clean"], table[title] = clean.astype(int), (least * clean).astype(int)
            rows.append(
                {
                    "network": name, "eps": eps, "n": len(images), "suite": title,
                    "clean": table["clean"].mean(), "accuracy": table[title].mean(),
                    "forwards_per_image": counted.passes.forwards / len(images),
                    "backwards_per_image": counted.passes.backwards / len(images),
                    "seconds": seconds[0], "device": named, "torch": torch.__version__,
                }
            )  # fmt: skip
            print(pd.DataFrame(rows[-1:]).to_string(index=False, header=False), flush=True)
        flags.append(table)
        write_csv(arguments.out / "summary.csv", pd.DataFrame(rows))
        write_csv(arguments.out / "images.csv", pd.concat(flags, ignore_index=True))


if __name__ == "__main__":
    main()
