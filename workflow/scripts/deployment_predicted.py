"""The cost model beside deployed layers: how many times as fast as dense it says that skipping is.

    python workflow/scripts/deployment_predicted.py

Reads results/reference/deployment.csv, measures nothing. A preset has four constants of the
kernels: multiply-accumulates, finished outputs and elementwise operations a nanosecond, and the
time of starting a phase; bytes come from caches and cost nothing. The constants are those of least
squared logarithm of predicted over measured time, dense and skipping, on the layers of two stages
of ResNet-18. They predict the layers of the other two, whose shapes are others: stages 1 and 3 by
2 and 4, and the reverse. The constants of all stages together are those of the preset
``deployed_core``. One thread; a layer is one call, so that its phases start once. Of several
processors the first.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from deployment_speed import WHOLE, deployed_spec
from numpy.typing import NDArray
from scipy.optimize import least_squares

import hwmodel
import nenni
from hwmodel.layer_latency import LayerLatency
from nenni.core.io import read_csv, write_csv
from nenni.cost.describe import describe
from nenni.networks.models.resnet18 import resnet18

FOLDS = (("1", "3"), ("2", "4"))
"""Stages whose layers predict those of the others."""
ALL = "all"
"""In their place, for the constants of the preset."""
CONSTANTS = ("macs_per_ns", "outputs_per_ns", "elementwise_per_ns", "overhead_s")
START = (200.0, 5.0, 10.0, 2e-6)
"""Where the search begins: of the order of a core with AVX-512."""
_STEP = 0.02
_APART = 100.0
"""How many times more or less a constant may be: layers that do not determine it leave it there."""
NETWORK = ["width", "batch", "fraction"]
KEYS = [*NETWORK, "layer"]
Networks = dict[tuple[int, float], hwmodel.Network]


def main() -> None:
    """Predict, and write both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--measured", type=Path, default=Path("results/reference/deployment.csv"))
    parser.add_argument("--out", type=Path, default=Path("results/reference"))
    asked = parser.parse_args()
    measured = layers_of_the_first(read_csv(asked.measured))
    predicted, constants = study(measured, networks(measured))
    write_csv(asked.out / "deployment_predicted.csv", predicted)
    write_csv(asked.out / "deployment_constants.csv", constants)
    print(constants.to_string(index=False))


def layers_of_the_first(measured: pd.DataFrame) -> pd.DataFrame:
    """Times of single layers on one thread of the first processor."""
    first = measured["device"] == measured["device"].iloc[0]
    return measured[first & (measured["layer"] != WHOLE) & (measured["threads"] == 1)]


def study(measured: pd.DataFrame, known: Networks) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions of all layers, in their order, and the constants of each half."""
    stage = measured["layer"].str.extract(r"layer(\d)", expand=False)
    tables, constants = [], []
    for own, others in (FOLDS, FOLDS[::-1]):
        found = calibrated(measured[stage.isin(own)], known)
        there = measured[stage.isin(others)]
        times = predictions(there, known, preset(found))
        row = there[KEYS].assign(
            measured=there["dense"] / there["skipping"],
            predicted=times["dense"] / times["skipping"],
        )
        tables.append(row)
        constants.append({"stages": " and ".join(own)} | dict(zip(CONSTANTS, found, strict=True)))
    together = calibrated(measured, known)
    constants.append({"stages": ALL} | dict(zip(CONSTANTS, together, strict=True)))
    return pd.concat(tables).loc[measured.index], pd.DataFrame(constants)


def networks(measured: pd.DataFrame) -> Networks:
    """The networks that were timed, by width and share of exact tiles."""
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = {}
    for width, fraction in dict.fromkeys(zip(measured["width"], measured["fraction"], strict=True)):
        plain = resnet18((3, 32, 32), 10, width=width).eval()
        noisy = nenni.inject(plain, deployed_spec(fraction), images)
        layers = json.dumps(describe(noisy, images, name="resnet18"))
        found[width, fraction] = hwmodel.Network.model_validate_json(layers)
    return found


def preset(constants: NDArray[np.float64]) -> hwmodel.Preset:
    """A core whose cycles are nanoseconds."""
    macs, outputs, elementwise, overhead = map(float, constants)

    def constant(value: float | bool | str, tag: str = "measured") -> dict[str, object]:
        return {"value": value, "tag": tag, "source": "deployment.csv"}

    return hwmodel.Preset.model_validate(
        {
            "description": "one core, by the times of deployed layers",
            "clock_hz": constant(1e9),
            "mac_per_cycle": {"8": constant(macs)},
            "outputs_per_cycle": {"8": constant(outputs)},
            "elementwise_per_cycle": constant(elementwise),
            "overhead_s": constant(overhead),
            "utilisation_dense": constant(1.0, "chosen"),
            "utilisation_irregular": constant(1.0, "chosen"),
            "bandwidth_bytes_per_s": constant(1e12, "chosen"),
            "tile_outputs": constant(16, "chosen"),
            "mixes_groups": constant(True, "chosen"),
            "skips_zeros": constant(False, "chosen"),
            "schedule": constant("fused", "chosen"),
        }
    )


def predictions(there: pd.DataFrame, known: Networks, by: hwmodel.Preset) -> pd.DataFrame:
    """Seconds of each row, dense and skipping."""
    rows: dict[object, tuple[float | None, float | None]] = {}
    for (width, batch, fraction), group in there.groupby(NETWORK):
        network = known[width, fraction]
        layers = {layer.layer: layer for layer in hwmodel.latency(network, by, batch)}
        for index, name in group["layer"].items():
            layer: LayerLatency = layers[name]
            rows[index] = layer.dense_int8_s, layer.injected_s
    found = pd.DataFrame.from_dict(rows, orient="index", columns=["dense", "skipping"])
    return found.loc[there.index]


def calibrated(there: pd.DataFrame, known: Networks) -> NDArray[np.float64]:
    """The constants of least squared logarithm of predicted over measured time."""

    def errors(logarithms: NDArray[np.float64]) -> NDArray[np.float64]:
        found = predictions(there, known, preset(np.exp(logarithms)))
        both = np.log(found / there[["dense", "skipping"]])
        flat: NDArray[np.float64] = both.to_numpy().ravel()
        return flat

    start = np.log(START)
    within = start - np.log(_APART), start + np.log(_APART)
    found = least_squares(errors, start, bounds=within, diff_step=_STEP)
    constants: NDArray[np.float64] = np.exp(found.x)
    return constants


if __name__ == "__main__":
    main()
