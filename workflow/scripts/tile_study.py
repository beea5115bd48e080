"""What tiles cost in neurons and in accuracy, and what an order of the channels and better scores give back.

    python workflow/scripts/tile_study.py --weights DIR --data DIR

DIR of weights holds resnet18_fgsmrs_cifar10.safetensors, a ResNet-18 of width 64 that this project
trained by FGSM-RS; DIR of data holds cifar10/train.npz and cifar10/test.npz. All layers but the
first and the last are injected after training, TapShared at 1/8, 8 bits. Four tables:
tiles.csv has clean accuracy, by the order of the channels, the tile and the share of essential
tiles; tiles_recall.csv has, for each layer on the inputs of the exact network, the share of the
truly largest neurons that its tiles hold, as many as are chosen, when tiles are chosen by

mean
    of z~, as :class:`nenni.Block` does,
calibrated
    the expected number of largest neurons in it: sum of Phi((z~ + b - t) / s), with the mean b and
    deviation s of z - z~ in each channel and the border t of the largest, on training images,
known
    the number of largest neurons in it, which no score beats where tiles are of one size;

and ``touched``, the share of tiles that hold any neuron of as many single ones, the largest z~:
what a kernel of tiles would have to compute for them. tiles_pgd_20.csv has what PGD-20 leaves at
eps 8/255, with any of its iterates, of the tiles that are deployed and of single neurons, and
tiles_standard.csv what all attacks of the suite ``standard`` leave, of fewer images.

A study that was stopped goes on where it was.
"""  # noqa: E501

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from _deployment_tables import AS_TRAINED, LEARNED, SINGLE
from _networks import read_images, read_resnet18
from _post_training import FIT_IMAGES, told
from torch import Tensor, nn

import nenni
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.core.io import read_csv, write_csv
from nenni.data.batches import image_batches
from nenni.data.split import InMemory
from nenni.method.fit import fit, measure_norms
from nenni.method.injection import inject, noisy_layers
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.ranking import largest
from nenni.method.selection_base import Selection
from nenni.method.spec import InjectionSpec
from nenni.method.visit import VISITS
from nenni.networks.copying import copied
from nenni.training.validation import accuracy

ORDERS = (AS_TRAINED, LEARNED)
TILES = ((32, 8), (16, 8), (1, 8))
"""Channels x positions: two vectors and one of 16 channels, and single channels."""
FRACTIONS = (0.5, 0.25)
ORDERING = nenni.Block(0.25, 32, 8)
"""For which channels are ordered."""
LOOKED_AT, BATCH = 200, 100
"""Images of the table of recall, as many to calibrate; images of a pass."""
KEYS = ["order", "tile", "fraction"]
NONE, DEPLOYED = "none", "32x8"
"""No tiles, and those of the kernels."""
SUITES: dict[str, Any] = {
    "pgd_20": {"pgd_20": {"name": "pgd", "steps": 20}},
    "standard": "standard",
}
ATTACKED, EPS = {"pgd_20": 200, "standard": 64}, 8 / 255
"""Images of each, and the radius."""


@dataclass(frozen=True)
class Setting:
    """A row: the order of the channels, and what is selected."""

    order: str
    tile: str
    fraction: float

    @property
    def key(self) -> tuple[str, str, float]:
        """What names the row."""
        return self.order, self.tile, self.fraction

    @property
    def told(self) -> dict[str, Any]:
        """The start of the row."""
        return dict(zip(KEYS, self.key, strict=True))


def selections(fraction: float) -> dict[str, Selection]:
    """Single neurons, and tiles, by name."""
    tiles = {f"{tile[0]}x{tile[1]}": nenni.Block(fraction, *tile) for tile in TILES}
    return {SINGLE: nenni.TopK(fraction)} | tiles


def settings() -> Iterator[Setting]:
    """All rows but the plain network's; to single channels an order means nothing."""
    for order in ORDERS:
        for fraction in FRACTIONS:
            for tile, selection in selections(fraction).items():
                several = isinstance(selection, nenni.Block) and selection.channels > 1
                if several or order == AS_TRAINED:
                    yield Setting(order, tile, fraction)


def main() -> None:
    """Parse the command line and run the study."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of weights")
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10/*.npz")
    parser.add_argument("--examples", type=int, default=1000, help="test images")
    parser.add_argument("--out", type=Path, default=Path("results/reference"))
    asked = parser.parse_args()
    runtime.keep_freed_memory()
    torch.set_num_threads(1)
    trained = read_images(asked.data, "train")[0][: max(FIT_IMAGES, LOOKED_AT)]
    images, labels = (part[: asked.examples] for part in read_images(asked.data, "test"))
    study(read_resnet18(asked.weights), trained, images, labels, asked.out)


def study(model: nn.Module, trained: Tensor, images: Tensor, labels: Tensor, out: Path) -> None:
    """The tables; the plain network is the first row of those of accuracies."""
    file, of_recall = (out / f"tiles{end}.csv" for end in ("", "_recall"))
    rows, held = map(_so_far, (file, of_recall))
    left = {suite: _so_far(out / f"tiles_{suite}.csv") for suite in SUITES}
    plain = Setting(AS_TRAINED, NONE, 1.0)
    if not rows:
        rows = [plain.told | _judged(model, images, labels)]
    for suite in SUITES:
        if not left[suite]:
            left[suite] = [plain.told | _attacked(model, images, labels, suite)]
            write_csv(out / f"tiles_{suite}.csv", pd.DataFrame(left[suite]))
    started = time.monotonic()
    for order in ORDERS:
        own = [s for s in settings() if s.order == order]
        waiting = [s for s in own if s.key not in _keys(rows)]
        attacked = [s for s in own if s.tile in (SINGLE, DEPLOYED)]
        unbroken = {
            suite: [s for s in attacked if s.key not in _keys(left[suite])] for suite in SUITES
        }
        looked_at = any(row["order"] == order for row in held)
        if not waiting and not any(unbroken.values()) and looked_at:
            continue
        ordered = nenni.order_channels(model, trained, ORDERING) if order == LEARNED else model
        noisy = fitted(ordered, trained[:FIT_IMAGES])
        if not looked_at:
            found = recall(noisy, trained[:LOOKED_AT], images[:LOOKED_AT])
            held += [{"order": order} | row for row in found]
            write_csv(of_recall, pd.DataFrame(held))
        for setting in (s for s in own if any(s in of for of in (waiting, *unbroken.values()))):
            selection = selections(setting.fraction)[setting.tile]
            chosen = with_selection(noisy, selection, trained[:FIT_IMAGES])
            if setting in waiting:
                rows.append(setting.told | _judged(chosen, images, labels))
                write_csv(file, pd.DataFrame(rows))
            for suite in (suite for suite in SUITES if setting in unbroken[suite]):
                left[suite].append(setting.told | _attacked(chosen, images, labels, suite))
                write_csv(out / f"tiles_{suite}.csv", pd.DataFrame(left[suite]))
            minutes = (time.monotonic() - started) / 60
            print(f"{setting.key} after {minutes:.0f} min", flush=True)


def fitted(model: nn.Module, images: Tensor) -> nn.Module:
    """Injected, with its closed form; batch norms and selection are a setting's own."""
    spec = InjectionSpec(
        ORDERING,
        nenni.TapShared(1 / 8),
        exact_bits=8,
        weight_bits=8,
        input_bits=8,
        projected_bits=8,
    )
    noisy = inject(model, spec, images[:1])
    fit(noisy, images, batch_norms="kept", batch_size=BATCH)
    return noisy


def with_selection(noisy: nn.Module, selection: Selection, images: Tensor) -> nn.Module:
    """A copy with another selection, and batch norms that have seen it."""
    own = copied(noisy)
    for _, layer in noisy_layers(own):
        layer.choices = replace(layer.choices, selection=selection)
    measure_norms(own, images, BATCH)
    return own


@torch.no_grad()
def recall(noisy: nn.Module, seen: Tensor, images: Tensor) -> list[dict[str, object]]:
    """The table of recall, of layers on the inputs that they get in the exact network."""
    known: dict[tuple[str, float], tuple[Tensor, Tensor, Tensor]] = {}

    def calibrate(name: str, layer: NoisyLayer, x: Tensor, _exact: Tensor) -> None:
        z, z_tilde = layer.score(layer.exact(x)), layer.score(layer.approximate(x, 0))
        error = (z - z_tilde).transpose(0, 1).flatten(1)
        shape = (1, -1, *(1,) * (z.dim() - 2))
        for fraction in FRACTIONS:
            border = z.flatten(1).quantile(1 - fraction, dim=1).mean()
            spread = error.std(1).clamp_min(torch.finfo(z.dtype).tiny)
            known[name, fraction] = error.mean(1).view(shape), spread.view(shape), border

    hits: dict[tuple[str, str, float], Tensor] = {}

    def look(name: str, layer: NoisyLayer, x: Tensor, _exact: Tensor) -> None:
        z, z_tilde = layer.score(layer.exact(x)), layer.score(layer.approximate(x, 0))
        for fraction in FRACTIONS:
            wanted = largest(z, fraction)
            bias, spread, border = known[name, fraction]
            expected = torch.special.ndtr((z_tilde + bias - border) / spread)
            scores = z_tilde, expected, wanted.to(z.dtype)
            for tile, selection in selections(fraction).items():
                found = [(selection.mask(score) & wanted).sum() for score in scores]
                touched = any_in_tiles(selection, largest(z_tilde, fraction))
                sums = [*found, wanted.sum(), touched.sum(), torch.tensor(touched.numel())]
                counts = torch.stack(sums).double()
                key = name, tile, fraction
                hits[key] = hits.get(key, torch.zeros_like(counts)) + counts

    VISITS["exact"](noisy, image_batches(seen, len(seen), noisy), calibrate)
    VISITS["exact"](noisy, image_batches(images, BATCH, noisy), look)
    return [
        dict(zip(("layer", "tile", "fraction"), key, strict=True))
        | dict(zip(("mean", "calibrated", "known"), (sums[:3] / sums[3]).tolist(), strict=True))
        | {"touched": float(sums[4] / sums[5])}
        for key, sums in hits.items()
    ]


def any_in_tiles(selection: Selection, neurons: Tensor) -> Tensor:
    """Which tiles of a selection hold any of some neurons; those themselves if it has no tiles."""
    if isinstance(selection, nenni.Block):
        touched: Tensor = selection.tile_means(neurons.float()) > 0
        return touched
    return neurons


def _so_far(file: Path) -> list[dict[str, Any]]:
    """Rows of a study that was stopped."""
    return read_csv(file).to_dict("records") if file.exists() else []


def _keys(rows: list[dict[str, Any]]) -> set[tuple[str, str, float]]:
    return {(row["order"], row["tile"], row["fraction"]) for row in rows}


def _attacked(model: nn.Module, images: Tensor, labels: Tensor, suite: str) -> dict[str, float]:
    data = images[: ATTACKED[suite]], labels[: ATTACKED[suite]]
    found = nenni.evaluate(
        model, data, SUITES[suite], eps=EPS, batch_size=BATCH, least_only=True, progress=print
    )
    n = len(data[0])
    return told(round((1 - found.robust_accuracy) * n), n)


def _judged(model: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    right = accuracy(model, InMemory.of(images, labels), len(images))
    return told(round((1 - right) * len(images)), len(images))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(str(error)) from error
