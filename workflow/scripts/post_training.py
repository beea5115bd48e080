"""NENNI after training on networks that nobody here trained: one factor at a time, and a grid.

    python workflow/scripts/post_training.py --weights DIR --data DIR --networks resnet20

DIR of weights holds the checkpoints of github.com/akamaster/pytorch_resnet_cifar10 (resnet20-*.th),
DIR of data holds cifar10/train.npz and cifar10/test.npz (x uint8 NHWC, y int64). Each network's
table goes to --out/<network>.csv; a run that was stopped goes on where it was.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch
from _networks import DEPTHS, read_images, read_network
from torch import Tensor, nn

import nenni
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.core.io import read_csv, write_csv
from nenni.core.seeding import seeded
from nenni.data.split import InMemory
from nenni.evaluation.statistics import wilson
from nenni.method.fit import fit, set_thresholds
from nenni.method.injection import inject, is_randomised, noisy_layers
from nenni.method.report import report
from nenni.method.spec import Choices, InjectionSpec
from nenni.training.validation import accuracy

DEFAULT = Choices(nenni.TopK(0.5), nenni.Sparse(1 / 8))
PROJECTIONS = {
    "sparse": nenni.Sparse,
    "gaussian": nenni.Gaussian,
    "count_sketch": nenni.CountSketch,
    "tap_shared": nenni.TapShared,
    "tap_shared_pca": nenni.TapSharedPCA,
}
COLUMNS = ["network", "factor", "value", "errors", "n", "accuracy", "low", "high"]
COLUMNS += ["relative_error", "recall", "fraction"]
FIT_IMAGES, REPORT_IMAGES, DRAWS, BATCH = 1000, 500, 3, 250


@dataclass(frozen=True)
class Setting:
    """One row: a factor, its value, and the choices that it stands for."""

    factor: str
    value: str
    choices: Choices

    @property
    def place(self) -> tuple[str, str]:
        """What names the row."""
        return self.factor, self.value


def settings() -> Iterator[Setting]:
    """All rows of the study; the default is in several, so that each factor can be read alone."""
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
    rows = read_csv(file).to_dict("records") if file.exists() else []
    if not rows:
        undefended = told(errors(model, images, labels), len(images))
        rows.append({"network": name, "factor": "undefended", "value": ""} | undefended)
    done = {(row["factor"], _text(row["value"])): row for row in rows}
    known = {str(s.choices): done[s.place] for s in settings() if s.place in done}
    waiting = [s for s in settings() if s.place not in done]
    fits = sorted({_fit_key(s.choices) for s in waiting})
    started, finished = time.monotonic(), 0
    for key in fits:
        sharing = [s for s in waiting if _fit_key(s.choices) == key]
        noisy = _fitted(model, sharing[0].choices, fitting)
        for setting in sharing:
            if str(setting.choices) not in known:
                known[str(setting.choices)] = judge(noisy, setting.choices, fitting, images, labels)
            row = known[str(setting.choices)] | {"factor": setting.factor, "value": setting.value}
            rows.append({"network": name} | row)
            write_csv(file, pd.DataFrame(rows, columns=COLUMNS))
            finished += 1
            left = (time.monotonic() - started) / finished * (len(waiting) - finished) / 60
            print(
                f"{name} {setting.factor} {setting.value}: {row['accuracy']:.1%}, "
                f"relative error {row['relative_error']:.2f}, {left:.0f} min left",
                flush=True,
            )
    order = {("undefended", ""): -1} | {s.place: i for i, s in enumerate(settings())}
    rows.sort(key=lambda row: order[row["factor"], _text(row["value"])])
    write_csv(file, pd.DataFrame(rows, columns=COLUMNS))


def judge(
    noisy: nn.Module, choices: Choices, fitting: Tensor, images: Tensor, labels: Tensor
) -> dict[str, object]:
    """Errors of a fitted network with other choices, and means over its layers."""
    for _, layer in noisy_layers(noisy):
        layer.choices = choices
    set_thresholds(noisy, fitting, batch_size=BATCH)
    with seeded(0, "report"):
        table = report(noisy, images[:REPORT_IMAGES], inputs="exact", batch_size=BATCH)
    draws = DRAWS if is_randomised(noisy) else 1
    wrong = sum(errors(noisy, images, labels, draw) for draw in range(draws)) / draws
    means = table[["relative_error", "recall", "fraction"]].mean().to_dict()
    return told(wrong, len(images)) | means


def errors(model: nn.Module, images: Tensor, labels: Tensor, draw: int = 0) -> int:
    """Number of images that are classified wrongly, on one draw of a randomised network."""
    with seeded(0, "test", draw):
        right = accuracy(model, InMemory.of(images, labels), len(images))
    return round((1 - right) * len(images))


def _changed(factor: str, value: object, **choices: object) -> Setting:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return Setting(factor, text, replace(DEFAULT, **choices))


def _fit_key(choices: Choices) -> str:
    """What the fit depends on."""
    c = choices
    bits = c.weight_bits, c.input_bits, c.projected_bits, c.exact_bits
    return f"{c.projection} {bits} {c.noise.approximations()}"


def _fitted(model: nn.Module, choices: Choices, images: Tensor) -> nn.Module:
    spec = InjectionSpec(**vars(choices))
    noisy = inject(model, spec, images[:1])
    fit(noisy, images)
    return noisy


def told(wrong: float, n: int) -> dict[str, object]:
    """Errors, their number of images, and accuracy with its 95 % interval."""
    low, high = wilson(n - wrong, n)
    return {"errors": wrong, "n": n, "accuracy": 1 - wrong / n, "low": low, "high": high}


def _text(value: object) -> str:
    """A value of the table as it was before pandas read it as a number."""
    if isinstance(value, float):
        return "" if value != value else f"{value:g}"
    return str(value)


if __name__ == "__main__":
    main()
