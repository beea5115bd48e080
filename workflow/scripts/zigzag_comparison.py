"""The cost model beside ZigZag with ZigZag's own constants: cycles and energy of every row.

    python workflow/scripts/zigzag_comparison.py [--workload OUT.yaml]

Reads what zigzag-dse 3.9.1 gave on two accelerators that it brings (tests/hwmodel/data: rows by
zigzag_rows.py, constants by ``python -m hwmodel technology --zigzag``), writes
results/reference/cost/zigzag.csv. With --workload it writes the workload that zigzag_rows.py takes
instead.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

import hwmodel
from hwmodel.energy_estimate import phase_energy
from hwmodel.export_zigzag import zigzag_yaml
from hwmodel.network_spec import Network
from hwmodel.whole_layer import dense_phase
from hwmodel.workload import workloads
from nenni.core.io import write_csv, write_text

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "hwmodel" / "data"
TABLE = ROOT / "results" / "reference" / "cost" / "zigzag.csv"
BITS = 8
LATENCY_WITHIN, ENERGY_WITHIN = 0.3, 0.5
LARGER = (
    ("224.stem", "dense", 3, 64, 7, 2, 224, 1),
    ("224.l1", "dense", 64, 64, 3, 1, 56, 1),
    ("224.l1", "approx", 72, 64, 1, 1, 56, 1),
    ("224.l4", "dense", 512, 512, 3, 1, 7, 1),
    ("224.pointwise", "dense", 96, 24, 1, 1, 56, 1),
    ("224.depthwise", "dense", 96, 96, 3, 1, 56, 96),
    ("224.linear", "dense", 512, 1000, 1, 1, 1, 1),
)
"""Name, kind, channels in and out, kernel, stride, input size, groups: of ResNet-18 and MobileNetV2
on 224 x 224 images."""


def main() -> None:
    """Write the table, or the workload."""
    if sys.argv[1:2] == ["--workload"]:
        network = Network(
            version=4, model="rows", input_shape=(3, 32, 32), layers=tuple(layers().values())
        )
        found = workloads(network, hwmodel.load_preset("systolic_32x32"))
        write_text(Path(sys.argv[2]), zigzag_yaml(found))
    else:
        write_csv(TABLE, compared())


def compared() -> pd.DataFrame:
    """One row for each of ZigZag's: its cycles and picojoules, the model's, and the ratios."""
    shapes, found = layers(), []
    for row in _rows("zigzag_rows.csv"):
        preset, table = constants(row["accelerator"])
        layer = shapes[row["workload"].removesuffix(".dense")]
        phase = dense_phase(layer, preset, BITS)
        cycles = phase.seconds * preset.clock_hz.value
        pj = phase_energy(phase, preset, table).total_pj
        theirs, their_pj = float(row["cycles"]), float(row["pj"])
        name, _, kind = layer.name.rpartition(".")
        found.append(
            {"accelerator": row["accelerator"], "layer": name, "kind": kind, "M": layer.M,
             "n": layer.n, "d": layer.d, "bound": phase.bound, "zigzag_cycles": round(theirs),
             "cycles": round(cycles), "cycles_ratio": cycles / theirs, "zigzag_pj": their_pj,
             "pj": pj, "pj_ratio": pj / their_pj,
             "outside": _is_outside(cycles / theirs, pj / their_pj)}
        )  # fmt: skip
    return pd.DataFrame(found)


def _is_outside(cycles_ratio: float, pj_ratio: float) -> bool:
    return abs(cycles_ratio - 1) > LATENCY_WITHIN or abs(pj_ratio - 1) > ENERGY_WITHIN


def constants(accelerator: str) -> tuple[hwmodel.Preset, hwmodel.EnergyTable]:
    """ZigZag's, as they were read from the files that it brings."""
    named = str(DATA / f"zigzag_{accelerator}")
    return (
        hwmodel.load_preset(f"{named}.preset.toml"),
        hwmodel.load_energy_table(f"{named}.energy.toml"),
    )


def layers() -> dict[str, hwmodel.Layer]:
    """Those of ResNet-18 on 32 x 32 images, dense and as W~ at k = d/8, and `LARGER`."""
    found = [_layer(*row) for shape in _rows("resnet18_32x32_layers.csv") for row in _both(shape)]
    found += [_layer(*row) for row in LARGER]
    return {layer.name: layer for layer in found}


def _rows(file: str) -> Iterator[dict[str, str]]:
    lines = (DATA / file).read_text(encoding="utf-8").splitlines()
    return csv.DictReader(line for line in lines if not line.startswith("#"))


def _both(shape: dict[str, str]) -> Iterator[tuple[str, str, int, int, int, int, int, int]]:
    """A layer, and W~ of it: as many positions and neurons, k inputs each."""
    channels, neurons, kernel, stride, size, outputs = (
        int(shape[key]) for key in ("c_in", "c_out", "kernel", "stride", "in_size", "out_size")
    )
    yield shape["layer"], "dense", channels, neurons, kernel, stride, size, 1
    yield shape["layer"], "approx", channels * kernel**2 // 8, neurons, 1, 1, outputs, 1


def _layer(
    name: str, kind: str, channels: int, neurons: int, kernel: int, stride: int, size: int,
    groups: int,
) -> hwmodel.Layer:  # fmt: skip
    outputs = (size + 2 * (kernel // 2) - kernel) // stride + 1
    layer: dict[str, Any] = {
        "name": f"{name}.{kind}", "kind": "conv2d", "in_channels": channels,
        "out_channels": neurons, "kernel_size": (kernel, kernel), "stride": (stride, stride),
        "padding": (kernel // 2, kernel // 2), "dilation": (1, 1), "groups": groups,
        "in_size": (size, size), "out_size": (outputs, outputs), "exact_bits": BITS,
    }  # fmt: skip
    return hwmodel.Layer.model_validate(layer)


if __name__ == "__main__":
    main()
