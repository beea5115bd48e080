"""On what layers are fitted, and whose statistics batch norms have: each choice on held-out images.

    python workflow/scripts/fit_choices.py --weights DIR --data DIR

DIR of weights holds the checkpoints that ``_networks.py`` reads, DIR of data the images of CIFAR-10
and MNIST. Fitted on training images, judged on others of them: these choose a default, test images
do not. A run that was stopped goes on where it was.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd
from _networks import read_images, read_lenet5, read_network
from torch import Tensor, nn

import nenni
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.core.io import read_csv, write_csv
from nenni.data.split import InMemory
from nenni.evaluation.statistics import wilson
from nenni.training.validation import accuracy

NETWORKS: dict[str, tuple[Callable[[Path], nn.Module], str]] = {
    "resnet20": (partial(read_network, name="resnet20"), "cifar10"),
    "resnet32": (partial(read_network, name="resnet32"), "cifar10"),
    "lenet5": (read_lenet5, "mnist"),
}
PROJECTIONS = {
    "sparse 1/8": nenni.Sparse(1 / 8),
    "tap_shared 1/8": nenni.TapShared(1 / 8),
    "tap_shared 1/2": nenni.TapShared(1 / 2),
}
FRACTIONS = (0.1, 0.25, 0.5)
INPUTS, BATCH_NORMS = ("exact", "injected"), ("kept", "measured")
FIT_IMAGES, JUDGED, BATCH = 1000, 2000, 250
KEYS = ["network", "projection", "fraction", "inputs", "batch_norms"]


def main() -> None:
    """Parse the command line and run the study."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10 and mnist")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--out", type=Path, default=Path("results/reference/fit_choices.csv"))
    asked = parser.parse_args()
    runtime.prepare({"threads": 1, "device": "cpu"})
    rows = read_csv(asked.out).to_dict("records") if asked.out.exists() else []
    done = {tuple(row[key] for key in KEYS) for row in rows}
    try:
        for network in asked.networks:
            read, dataset = NETWORKS[network]
            model = read(asked.weights)
            images, labels = read_images(asked.data, "train", dataset)
            has_norms = any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
            norms = BATCH_NORMS if has_norms else BATCH_NORMS[:1]
            for setting in itertools.product(PROJECTIONS, FRACTIONS, INPUTS, norms):
                if (network, *setting) in done:
                    continue
                found = judge(model, images, labels, *setting)
                rows.append(dict(zip(KEYS, (network, *setting), strict=True)) | found)
                print(rows[-1], flush=True)
                write_csv(asked.out, pd.DataFrame(rows))
    except UserError as error:
        sys.exit(str(error))


def judge(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    projection: str,
    fraction: float,
    inputs: Literal["exact", "injected"],
    batch_norms: Literal["kept", "measured"],
) -> dict[str, float]:
    """Accuracy on images that the fit did not see, its interval, and the seconds of the fit."""
    spec = nenni.InjectionSpec(nenni.TopK(fraction), PROJECTIONS[projection])
    noisy = nenni.inject(model, spec, images[:1])
    started = time.thread_time()
    nenni.fit(noisy, images[:FIT_IMAGES], inputs=inputs, batch_norms=batch_norms, batch_size=BATCH)
    seconds = time.thread_time() - started
    held_out = InMemory.of(images[-JUDGED:], labels[-JUDGED:])
    right = accuracy(noisy, held_out, JUDGED)
    low, high = wilson(right * JUDGED, JUDGED)
    return {"accuracy": right, "low": low, "high": high, "n": JUDGED, "seconds": round(seconds, 1)}


if __name__ == "__main__":
    main()
