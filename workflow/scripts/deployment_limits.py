"""How far deployed layers are from what a core can do: products and bytes, each at its best rate.

    python workflow/scripts/deployment_limits.py     # with nothing else running, a minute

Measures the rates of one core (:mod:`_core_rates`) and sets the times of
results/reference/deployment.csv beside them: those of the same processor, on one thread. A layer
takes no less than its products at the rate of independent ones in registers, nor less than its
bytes, each moved once, at the rate of the nearest cache that holds all of them. Products are those
of the exact tiles, of P and of W~, without those of padding, which the kernels leave out; bytes are
the codes that come in, weights, and the codes that go out. Roundings, scores and the choice of
tiles are in the times and not in the bounds.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from _core_rates import MEMORY, PRODUCTS, core_rates
from deployment_speed import RATIO, WHOLE
from torch import nn

from nenni.core.io import read_csv, write_csv
from nenni.core.machine import processor
from nenni.networks.hooks import hooked
from nenni.networks.models.resnet18 import resnet18

RATES, LIMITS = "core_rates.csv", "deployment_limits.csv"
DENSE = 1.0
"""The share of exact tiles of a layer that skips none, and has no approximation."""


@dataclass(frozen=True)
class Shape:
    """A convolution: channels in and out, taps, positions in and out.

    ``inside`` are the taps of all positions out that lie within the image.
    """

    channels_in: int
    channels_out: int
    taps: int
    positions_in: int
    positions_out: int
    inside: int

    def products(self, exact: float) -> float:
        """Of one image, at a share of exact tiles."""
        all_exact = self.channels_in * self.channels_out * self.inside
        if exact == DENSE:
            return all_exact
        projected = RATIO * self.channels_in
        project = projected * self.channels_in * self.positions_in
        combine = projected * self.channels_out * self.inside
        return exact * all_exact + project + combine

    def moved(self, exact: float, batch: int) -> float:
        """Bytes of a batch."""
        weights = self.channels_in * self.channels_out * self.taps
        if exact != DENSE:
            weights += RATIO * self.channels_in * (self.channels_in + self.channels_out * self.taps)
        codes = self.channels_in * self.positions_in + self.channels_out * self.positions_out
        return weights + batch * codes


def main() -> None:
    """Measure the rates, and write both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/reference"))
    out = parser.parse_args().out
    measured = read_csv(out / "deployment.csv")
    here = measured[(measured["device"] == processor()) & (measured["threads"] == 1)]
    here = here[here["layer"] != WHOLE]
    if here.empty:
        parser.error(f"{out / 'deployment.csv'} has no times of this processor, {processor()}")
    rates = core_rates()
    write_csv(out / RATES, rates.assign(device=processor()))
    write_csv(out / LIMITS, pd.DataFrame(limits(here, rates)))


def limits(measured: pd.DataFrame, rates: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Each layer, dense and at each share, with its bounds and its time in seconds."""
    per_ns = rates.set_index("what")["per_ns"]
    held = rates.dropna(subset="bytes").set_index("what")["bytes"].to_dict()
    keys = ["width", "batch", "layer"]
    shapes = {width: shapes_of(width) for width in measured["width"].unique()}
    for (width, batch, layer), rows in measured.groupby(keys, sort=False):
        times = {DENSE: rows["dense"].min()} | dict(
            zip(rows["fraction"], rows["skipping"], strict=True)
        )
        shape = shapes[width][layer]
        for exact, seconds in times.items():
            moved = shape.moved(exact, batch)
            by_products = batch * shape.products(exact) / per_ns[PRODUCTS] / 1e9
            by_bytes = moved / per_ns[level_of(moved, held)] / 1e9
            yield {
                "width": width, "batch": batch, "layer": layer, "exact": exact,
                "products_s": by_products, "bytes_s": by_bytes, "measured_s": seconds,
                "of_bound": max(by_products, by_bytes) / seconds,
            }  # fmt: skip


def level_of(moved: float, held: dict[str, float]) -> str:
    """The nearest cache that holds so many bytes, or the memory."""
    return next((level for level, size in held.items() if moved <= size), MEMORY)


def shapes_of(width: int) -> dict[str, Shape]:
    """The convolutions of ResNet-18 on 32x32 images."""
    network = resnet18((3, 32, 32), 10, width=width).eval()
    found: dict[str, Shape] = {}

    def watch(name: str, layer: nn.Conv2d, x: torch.Tensor, z: torch.Tensor) -> None:
        taps = layer.kernel_size[0] * layer.kernel_size[1]
        ones = torch.ones(1, 1, *layer.kernel_size)
        inside = F.conv2d(torch.ones_like(x[:1, :1]), ones, None, layer.stride, layer.padding)
        positions = x[0, 0].numel(), z[0, 0].numel()
        found[name] = Shape(x.shape[1], z.shape[1], taps, *positions, int(inside.sum()))

    handles = [
        layer.register_forward_hook(lambda m, x, z, name=name: watch(name, m, x[0], z))
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d)
    ]
    with torch.no_grad(), hooked(handles):
        network(torch.zeros(1, 3, 32, 32))
    return found


if __name__ == "__main__":
    main()
