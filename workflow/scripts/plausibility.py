"""Modelled throughput of the presets beside what was published of the hardware that they stand for.

    python workflow/scripts/plausibility.py

Writes results/reference/cost/plausibility.csv. A roofline leaves out much of what a run takes, and
what is published was tuned by the vendor: a ratio between a half and two is what can be expected.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import hwmodel
from nenni.core.io import write_csv
from nenni.cost.describe import describe
from nenni.networks.architecture import Architecture
from nenni.networks.build import build

TABLE = Path(__file__).parents[2] / "results" / "reference" / "cost" / "plausibility.csv"
SHAPE, CLASSES = (3, 224, 224), 1000
_MLPERF = "MLPerf Inference, closed division, ResNet-50 offline, per accelerator; round not known"
_ZOO = "Rockchip, rknn_model_zoo, table of frames per second, RK3588, one core"
_COLUMNS = ("preset", "network", "batch", "cores", "published", "source")
PUBLISHED: list[dict[str, Any]] = [
    dict(zip(_COLUMNS, row, strict=True))
    for row in (
        ("a100", "resnet50", 128, 1, 42400.0, _MLPERF),
        ("h100", "resnet50", 128, 1, 88500.0, _MLPERF),
        ("edge_npu", "resnet50", 1, 3, 108.6, _ZOO),
        ("edge_npu", "mobilenet_v2", 1, 3, 433.0, _ZOO),
    )
]
"""INT8 images per second; ``cores`` that the preset has, and of which one was measured."""


def main() -> None:
    """Model, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=TABLE)
    write_csv(parser.parse_args().out, pd.DataFrame([*map(compared, PUBLISHED)]))


def compared(row: dict[str, Any]) -> dict[str, Any]:
    """A published row with the modelled images per second, and their ratio."""
    preset = one_core(hwmodel.load_preset(row["preset"]), row["cores"])
    seconds = hwmodel.latency(shapes(row["network"]), preset, row["batch"])[-1].dense_int8_s
    assert seconds is not None
    modelled = row["batch"] / seconds
    return row | {"modelled": round(modelled, 1), "ratio": round(modelled / row["published"], 3)}


def one_core(preset: hwmodel.Preset, cores: int) -> hwmodel.Preset:
    """The preset with one of its cores, which has the memory for itself."""

    def share(constant: Any) -> Any:
        return constant.model_copy(update={"value": constant.value / cores})

    macs = {bits: share(constant) for bits, constant in preset.mac_per_cycle.items()}
    lanes = share(preset.elementwise_per_cycle)
    return preset.model_copy(update={"mac_per_cycle": macs, "elementwise_per_cycle": lanes})


def shapes(network: str) -> hwmodel.Network:
    """The layers of a network of torchvision."""
    model = build(Architecture({"name": "torchvision", "model": network}, SHAPE, CLASSES))
    found = describe(model.eval(), torch.zeros(1, *SHAPE))
    return hwmodel.Network.model_validate_json(json.dumps(found))


if __name__ == "__main__":
    main()
