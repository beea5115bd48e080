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
_MLPERF = "MLPerf Inference {}, closed division, ResNet-50 offline, {}"
_TRT = (
    "NVIDIA, TensorFlow Quantization Toolkit documentation, results of its model zoo, TensorRT 8.4"
)
_ZOO = "Rockchip, rknn_model_zoo 2.0.0, README, table of frames per second, RK3588, one core"
_INTEL = (
    "Intel, Neural Compressor, validated models (19 June 2023), FP32 column of {}, one"
    " Xeon Platinum 8480+, 14 instances of 4 cores"
)
_TENSORFLOW = _INTEL.format("TensorFlow 2.12")
_PYTORCH = _INTEL.format("PyTorch 2.0.1")
_COLUMNS = (
    "preset", "network", "bits", "batch", "cores", "clock_ghz", "published", "shared_by", "source",
)  # fmt: skip
PUBLISHED: list[dict[str, Any]] = [
    dict(zip(_COLUMNS, row, strict=True))
    for row in (
        ("a100", "resnet50", 8, 128, 1, None, 37479.5, 1, _MLPERF.format("v0.7", "A100 SXM 40 GB")),
        ("a100", "resnet50", 8, 128, 1, None, 42379.3, 1, _MLPERF.format("v3.0", "A100 SXM 80 GB")),
        ("a100", "resnet50", 8, 1, 1, None, 1 / 0.46e-3, 1, f"{_TRT}: 0.46 ms"),
        ("a100", "resnet101", 8, 1, 1, None, 1 / 0.84e-3, 1, f"{_TRT}: 0.84 ms"),
        ("a100", "mobilenet_v2", 8, 1, 1, None, 1 / 0.30e-3, 1, f"{_TRT}: 0.30 ms"),
        ("h100", "resnet50", 8, 128, 1, None, 91825.7, 1, _MLPERF.format("v3.0", "H100 SXM 80 GB")),
        ("h100", "resnet50", 8, 128, 1, None, 88714.3, 1, _MLPERF.format("v4.0", "H100 SXM 80 GB")),
        ("edge_npu", "resnet50", 8, 1, 3, None, 108.6, 1, _ZOO),
        ("edge_npu", "mobilenet_v2", 8, 1, 3, None, 433.0, 1, _ZOO),
        ("server_cpu", "resnet50", 8, 1, 1, 2.6, 5965.62, 112,
         _MLPERF.format("v0.5", "two Xeon Platinum 9282 of 56 cores")),
        ("server_cpu", "resnet50", 8, 1, 1, 2.3, 4038.5, 80,
         _MLPERF.format("v1.0, preview", "two Xeon Platinum 8380 of 40 cores")),
        ("server_cpu", "resnet50", 32, 1, 1, None, 552.94, 56, _TENSORFLOW),
        ("server_cpu", "resnet101", 32, 1, 1, None, 432.29, 56, _TENSORFLOW),
        ("server_cpu", "mobilenet_v2", 32, 1, 1, None, 1864.72, 56, _TENSORFLOW),
        ("server_cpu", "vgg16", 32, 1, 1, None, 236.22, 56, _TENSORFLOW),
        ("server_cpu", "vgg19", 32, 1, 1, None, 196.94, 56, _TENSORFLOW),
        ("server_cpu", "densenet121", 32, 1, 1, None, 498.43, 56, _TENSORFLOW),
        ("server_cpu", "resnet18", 32, 1, 1, None, 662.13, 56, _PYTORCH),
        ("server_cpu", "resnet50", 32, 1, 1, None, 330.92, 56, _PYTORCH),
    )
]  # fmt: skip
"""Images per second at so many bits. Of ``cores`` that the preset has, one was measured; many that
the preset has one of were measured at once where ``shared_by`` is more than 1. The clock is the
preset's where none is given."""


def main() -> None:
    """Model, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=TABLE)
    write_csv(parser.parse_args().out, pd.DataFrame([*map(compared, PUBLISHED)]))


def compared(row: dict[str, Any]) -> dict[str, Any]:
    """A published row with the modelled images per second, and their ratio."""
    preset = one_core(hwmodel.load_preset(row["preset"]), row["cores"])
    if row["clock_ghz"] is not None:
        clock = preset.clock_hz.model_copy(update={"value": 1e9 * row["clock_ghz"]})
        preset = preset.model_copy(update={"clock_hz": clock})
    total = hwmodel.latency(shapes(row["network"]), preset, row["batch"])[-1]
    seconds = {32: total.dense_fp32_s, 8: total.dense_int8_s}[row["bits"]]
    assert seconds is not None
    modelled, published = row["batch"] / seconds, row["published"] / row["shared_by"]
    told = {key: row[key] for key in ("preset", "network", "bits", "batch", "cores")}
    return told | {
        "clock_ghz": preset.clock_hz.value / 1e9,
        "published": round(published, 1),
        "modelled": round(modelled, 1),
        "ratio": round(modelled / published, 3),
        "source": _source(row),
    }


def _source(row: dict[str, Any]) -> str:
    total, many = row["published"], row["shared_by"]
    return str(row["source"]) if many == 1 else f"{row['source']}: {total} over {many} cores"


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
