"""NENNI after training on networks that nobody here trained: one factor at a time, and a grid.

    python workflow/scripts/post_training.py --weights DIR --data DIR --networks resnet20

DIR of weights holds the checkpoints of github.com/akamaster/pytorch_resnet_cifar10 (resnet20-*.th),
DIR of data holds cifar10/train.npz and cifar10/test.npz (x uint8 NHWC, y int64). Each network's
table goes to --out/<network>.csv; a run that was stopped goes on where it was.

``seconds`` is the CPU time of the whole fit, on one thread: the closed form, which settings that
differ in their selection, score or noise share and which is counted in each of them, and the
thresholds and statistics of batch norms, which are the setting's own. ``relative_error`` and
``recall`` are those of each layer on what it gets behind the injected ones before it: once batch
norms are measured, no pass gives the inputs that it had in the exact network.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch
from _networks import DEPTHS, read_images, read_network
from _post_training import (
    BEFORE,
    COLUMNS,
    DEFAULT_FIT,
    DRAWS,
    FIT_IMAGES,
    FITS,
    MORE_FITS,
    REPORT_IMAGES,
    fit_value,
    place,
    rows_so_far,
    told,
)
from torch import Tensor, nn

import nenni
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.core.io import write_csv
from nenni.core.seeding import seeded
from nenni.data.split import InMemory
from nenni.method.fit import fit, measure_norms, set_thresholds
from nenni.method.injection import inject, is_randomised, noisy_layers
from nenni.method.report import report
from nenni.method.spec import Choices, InjectionSpec
from nenni.networks.copying import copied
from nenni.training.validation import accuracy

DEFAULT = Choices(nenni.TopK(0.5), nenni.Sparse(1 / 8))
PROJECTIONS = {
    "sparse": nenni.Sparse,
    "gaussian": nenni.Gaussian,
    "count_sketch": nenni.CountSketch,
    "tap_shared": nenni.TapShared,
    "tap_shared_pca": nenni.TapSharedPCA,
}
COMPARED = {"sparse 1/8": nenni.Sparse(1 / 8), "tap_shared 1/2": nenni.TapShared(1 / 2)}
"""Projections with which all fits are made."""
BATCH = 250
Closed = dict[str, tuple[nn.Module, float]]
"""Networks whose layers have their closed form, and the CPU seconds that it took."""


@dataclass(frozen=True)
class Setting:
    """One row: a factor, its value, and the choices and the fit that it stands for."""

    factor: str
    value: str
    choices: Choices
    fit: str = DEFAULT_FIT

    @property
    def place(self) -> tuple[str, str]:
        """What names the row."""
        return self.factor, self.value

    @property
    def network(self) -> str:
        """What the row is of: the same for settings that are the default of several factors."""
        return f"{self.choices} {self.fit}"

    @property
    def closed_form(self) -> str:
        """What the closed form hangs on, of layers fitted on exact inputs."""
        c = self.choices
        bits = c.weight_bits, c.input_bits, c.projected_bits, c.exact_bits
        return f"{c.projection} {bits} {c.noise.approximations()}"


def settings() -> Iterator[Setting]:
    """All rows of the study; the default is in several, so that each factor can be read alone."""
    for title, projection in COMPARED.items():
        for fraction in (0.25, 0.5):
            choices = replace(DEFAULT, selection=nenni.TopK(fraction), projection=projection)
            more = MORE_FITS if choices == DEFAULT else {}
            for name in FITS | more:
                yield Setting("fit", fit_value(fraction, title, name), choices, name)
    for fraction in (0.0, 0.125, 0.25, 0.5, 0.75, 0.9, 1.0):
        yield _changed("fraction", fraction, selection=nenni.TopK(fraction))
    for ratio in (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0):
        yield _changed("ratio", ratio, projection=nenni.Sparse(ratio))
    for name, projection in PROJECTIONS.items():
        yield _changed("projection", name, projection=projection(1 / 8))
    for bits in (2, 3, 4, 6, 8, 32):
        yield _changed("bits", bits, weight_bits=bits, input_bits=bits, projected_bits=bits)
    for name in ("weight_bits", "input_bits", "projected_bits"):
        for bits in (2, 32):
            yield _changed(name, bits, **{name: bits})
    for bits in (4, 8):
        yield _changed("exact_bits", bits, exact_bits=bits)
    for selection in (
        nenni.TopK(0.5),
        nenni.Threshold(0.5),
        nenni.NM(2, 4),
        nenni.NM(4, 8),
        nenni.Block(0.5, 4, 8),
        nenni.Block(0.5, 16, 8),
        nenni.Channel(0.5),
        nenni.Random(0.5),
        nenni.Inverted(0.5),
        nenni.Oracle(0.5),
        nenni.All(),
        nenni.Nothing(),
    ):
        yield _changed("selection", str(selection), selection=selection)
    for score in ("signed", "magnitude"):
        for normalise in (True, False):
            value = f"{score}, {'normalised' if normalise else 'raw'}"
            yield _changed("score", value, score=score, normalise=normalise)
    for noise in (
        nenni.Approximation(),
        nenni.GaussianNoise(),
        nenni.UniformNoise(),
        nenni.Zero(),
        nenni.Resample(4),
    ):
        yield _changed("noise", type(noise).__name__, noise=noise)
    for name, projection in PROJECTIONS.items():
        for fraction in (0.0, 0.125, 0.25, 0.5, 0.75, 0.9):
            choices = {"projection": projection(1 / 8), "selection": nenni.TopK(fraction)}
            yield _changed("fraction x projection", f"{fraction:g} x {name}", **choices)


def main() -> None:
    """Parse the command line and run the study."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10/*.npz")
    parser.add_argument("--networks", nargs="+", choices=DEPTHS, default=list(DEPTHS))
    parser.add_argument("--out", type=Path, default=Path("results/reference/post_training"))
    arguments = parser.parse_args()
    runtime.keep_freed_memory()
    torch.set_num_threads(1)
    try:
        for name in arguments.networks:
            study(arguments.weights, arguments.data, name, arguments.out)
    except UserError as error:
        sys.exit(str(error))


def study(weights: Path, data: Path, name: str, out: Path) -> None:
    """All settings on one network; the plain network is the first row."""
    model = read_network(weights, name)
    fitting = read_images(data, "train")[0][:FIT_IMAGES]
    images, labels = read_images(data, "test")
    file = out / f"{name}.csv"
    rows = rows_so_far(file)
    if not rows:
        undefended = told(errors(model, images, labels), len(images))
        rows.append({"network": name, "factor": "undefended", "value": ""} | undefended)
    done = {place(row): row for row in rows}
    known = {s.network: done[s.place] for s in settings() if s.place in done}
    waiting = [s for s in settings() if s.place not in done]
    closed: Closed = {}
    started = time.monotonic()
    for finished, setting in enumerate(waiting, 1):
        if setting.network not in known:
            noisy, seconds = fitted(model, setting, fitting, closed)
            known[setting.network] = judge(noisy, images, labels) | {"seconds": round(seconds, 1)}
        row = known[setting.network] | {"factor": setting.factor, "value": setting.value}
        rows.append(row | {"network": name})
        write_csv(file, pd.DataFrame(rows, columns=COLUMNS))
        left = (time.monotonic() - started) / finished * (len(waiting) - finished) / 60
        print(
            f"{name} {setting.factor} {setting.value}: {row['accuracy']:.1%}, "
            f"relative error {row['relative_error']:.2f}, {left:.0f} min left",
            flush=True,
        )


def fitted(
    model: nn.Module, setting: Setting, images: Tensor, closed: Closed
) -> tuple[nn.Module, float]:
    """Injected and fitted, as :func:`nenni.fit` does it, and the CPU seconds that this takes.

    A closed form that is there already is not made again; a new one is added.
    """
    shared = setting.fit in (BEFORE, DEFAULT_FIT)
    if not shared:
        return _timed(lambda: _fresh(model, setting, setting.fit, images))
    if setting.closed_form not in closed:
        closed[setting.closed_form] = _timed(lambda: _fresh(model, setting, BEFORE, images))
    begun, before = closed[setting.closed_form]
    noisy, own = _timed(lambda: _finished(begun, setting, images))
    return noisy, before + own


def _fresh(model: nn.Module, setting: Setting, name: str, images: Tensor) -> nn.Module:
    noisy = inject(model, InjectionSpec(**vars(setting.choices)), images[:1])
    fit(noisy, images, **(FITS | MORE_FITS)[name], batch_size=BATCH)
    return noisy


def _finished(begun: nn.Module, setting: Setting, images: Tensor) -> nn.Module:
    """A copy with the choices of a setting, and what hangs on them."""
    noisy = copied(begun)
    for _, layer in noisy_layers(noisy):
        layer.choices = setting.choices
    set_thresholds(noisy, images, batch_size=BATCH)
    if setting.fit == DEFAULT_FIT:
        measure_norms(noisy, images, BATCH)
    return noisy


def _timed(make: Callable[[], nn.Module]) -> tuple[nn.Module, float]:
    started = time.thread_time()
    return make(), time.thread_time() - started


def judge(noisy: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Errors of a fitted network, and means over its layers."""
    table = report(noisy, images[:REPORT_IMAGES], batch_size=BATCH)
    draws = DRAWS if is_randomised(noisy) else 1
    wrong = sum(errors(noisy, images, labels, draw) for draw in range(draws)) / draws
    means: dict[str, float] = table[["relative_error", "recall", "fraction"]].mean().to_dict()
    return told(wrong, len(images)) | means


def errors(model: nn.Module, images: Tensor, labels: Tensor, draw: int = 0) -> int:
    """Number of images that are classified wrongly, on one draw of a randomised network."""
    with seeded(0, "test", draw):
        right = accuracy(model, InMemory.of(images, labels), len(images))
    return round((1 - right) * len(images))


def _changed(factor: str, value: object, **choices: object) -> Setting:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return Setting(factor, text, replace(DEFAULT, **choices))


if __name__ == "__main__":
    main()
