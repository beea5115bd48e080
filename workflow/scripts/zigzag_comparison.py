"""The cost model beside ZigZag, on all rows that were run: cycles and energy.

    python workflow/scripts/zigzag_comparison.py

Reads what zigzag-dse 3.9.1 gave for layers of ResNet-18 on its bundled accelerator `tpu_like`
(tests/hwmodel/data), writes results/reference/cost/zigzag.csv. The model runs the preset
`systolic_32x32`, of the same size and weight bandwidth, with the energies of Horowitz's table;
ZigZag has constants of its own, and memories that the model does not have yet.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

import hwmodel
from hwmodel.energy_estimate import phase_energy
from hwmodel.roofline import dense_phase
from nenni.core.io import write_csv

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "hwmodel" / "data"
TABLE = ROOT / "results" / "reference" / "cost" / "zigzag.csv"
BITS = 8


def main() -> None:
    """Write the table."""
    write_csv(TABLE, compared())


def compared() -> pd.DataFrame:
    """One row for each of ZigZag's: its cycles and picojoules, the model's, and the ratios."""
    preset = hwmodel.load_preset("systolic_32x32")
    table = hwmodel.load_energy_table("horowitz_45nm")
    shapes = {row["layer"]: row for row in _rows("resnet18_32x32_layers.csv")}
    found = []
    for row in _rows("zigzag_tpu_like_resnet18_32x32.csv"):
        layer = _layer(shapes[row["layer"]], row["kind"])
        phase = dense_phase(layer, preset, BITS)
        cycles = phase.seconds * preset.clock_hz.value
        pj = phase_energy(phase, preset, table).total_pj
        theirs, their_pj = float(row["latency_cycles"]), float(row["energy_pJ"])
        found.append(
            {"layer": row["layer"], "kind": row["kind"], "M": layer.M, "n": layer.n, "d": layer.d,
             "bound": phase.bound, "zigzag_cycles": round(theirs), "cycles": round(cycles),
             "cycles_ratio": cycles / theirs, "zigzag_pj": their_pj, "pj": pj,
             "pj_ratio": pj / their_pj}
        )  # fmt: skip
    return pd.DataFrame(found)


def _rows(file: str) -> Iterator[dict[str, str]]:
    lines = (DATA / file).read_text(encoding="utf-8").splitlines()
    return csv.DictReader(line for line in lines if not line.startswith("#"))


def _layer(shape: dict[str, str], kind: str) -> hwmodel.Layer:
    """A layer, or W~ of it at k = d/8: as many positions and neurons, k inputs each."""
    channels, kernel, size = (int(shape[key]) for key in ("c_in", "kernel", "in_size"))
    geometry: dict[str, Any] = {
        "in_channels": channels, "kernel_size": (kernel, kernel), "in_size": (size, size),
        "stride": (int(shape["stride"]),) * 2, "padding": (kernel // 2, kernel // 2),
    }  # fmt: skip
    outputs = int(shape["out_size"])
    if kind == "approx":
        geometry = {
            "in_channels": channels * kernel**2 // 8, "kernel_size": (1, 1), "stride": (1, 1),
            "in_size": (outputs, outputs), "padding": (0, 0),
        }  # fmt: skip
    return hwmodel.Layer.model_validate(
        {
            "name": shape["layer"], "kind": "conv2d", "out_channels": int(shape["c_out"]),
            "dilation": (1, 1), "groups": 1, "out_size": (outputs, outputs), "exact_bits": BITS,
            **geometry,
        }
    )  # fmt: skip


if __name__ == "__main__":
    main()
