"""The cost model against the clock: dense layers, and a whole network, measured and modelled.

    python -m hwmodel calibrate mine.toml
    python workflow/scripts/measured_and_modelled.py WEIGHTS mine.toml

The layers are those of ResNet-18 for images of 32 x 32, measured by `hwmodel.machine`; the network
is WEIGHTS, which the workflow injected, measured by `nenni bench`: one thread, time on the clock.
The preset was calibrated on other layers. Run it with nothing else running, for some ten minutes.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

import pandas as pd
import torch
from matplotlib.axes import Axes

import hwmodel
from hwmodel.machine import dense_seconds
from hwmodel.whole_layer import dense_phase
from nenni.core.io import read_csv, write_csv
from nenni.cost.describe import describe
from nenni.method.network_file import load
from nenni.networks.build import architecture_of
from nenni.networks.models.resnet18 import resnet18
from nenni.results.figure_style import COLOURS, MARKERS, grid, prepare, save

BITS = {32: "fp32", 16: "bf16", 8: "int8"}
WHOLE = "whole network"
"""What `nenni bench` calls it, beside its layers."""
MEASURED = ["batch", "variant", "wall_seconds", "peak_mib", "images_per_second", "over_dense"]
"""Its columns that are kept."""
LABELS = {"injected": "injected,\nmodelled as skipping"}


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("preset", type=Path)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--out", type=Path, default=Path("results/reference/cost"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "preset.toml").write_bytes(arguments.preset.read_bytes())
    preset = hwmodel.load_preset(str(arguments.preset))
    model = load(arguments.weights)
    known = architecture_of(model)
    network = described(model, known.input_shape, known.name)
    dense = described(resnet18((3, 32, 32), 10).eval(), (3, 32, 32), "resnet18")
    layers = compare_layers(dense, preset, arguments.batch)
    write_csv(arguments.out / "layers.csv", layers)
    write_csv(arguments.out / "roofline_errors.csv", errors(layers))
    whole = compare_network(arguments.weights, network, preset, arguments.batch, arguments.out)
    write_csv(arguments.out / "bench.csv", whole)
    print(errors(layers).to_string(index=False))
    print(whole.to_string(index=False))
    draw(layers, whole, arguments.out)


def described(model: torch.nn.Module, shape: tuple[int, ...], name: str) -> hwmodel.Network:
    """A network's layers, the masks of an injected one measured on random images."""
    images = torch.rand(32, *shape, generator=torch.Generator().manual_seed(0))
    found = describe(model, images, name=name)
    return hwmodel.Network.model_validate_json(json.dumps(found))


def compare_layers(
    network: hwmodel.Network, preset: hwmodel.Preset, batches: list[int]
) -> pd.DataFrame:
    """Time of each shape of dense layer, measured and by the roofline."""
    shapes: dict[str, hwmodel.Layer] = {}
    for layer in network.layers:
        plain = layer.model_copy(update={"injection": None, "exact_bits": 32})
        shapes.setdefault(plain.model_copy(update={"name": "x"}).model_dump_json(), plain)
    rows = []
    for layer in shapes.values():
        for batch in batches:
            for bits, kind in BITS.items():
                if (measured := dense_seconds(layer, bits, batch)) is None:
                    continue
                phase = dense_phase(layer, preset, bits, batch)
                row = {"layer": layer.name, "batch": batch, "precision": kind}
                times = {"measured_s": measured, "modelled_s": phase.seconds}
                rows.append(row | times | {"bound": phase.bound})
        print(layer.name, file=sys.stderr, flush=True)
    found = pd.DataFrame(rows)
    found["ratio"] = found["modelled_s"] / found["measured_s"]
    return found


def errors(layers: pd.DataFrame) -> pd.DataFrame:
    """Median and worst factor between modelled and measured, and winners predicted right."""
    rows = []
    for (precision, batch), group in layers.groupby(["precision", "batch"], sort=False):
        factors = [max(r, 1 / r) for r in group["ratio"]]
        worst = max(range(len(factors)), key=factors.__getitem__)
        rows.append(
            {"precision": precision, "batch": batch, "layers": len(group),
             "median_factor": statistics.median(factors), "worst_factor": factors[worst],
             "worst_layer": group["layer"].iloc[worst]}
        )  # fmt: skip
    right, all_ = winners(layers)
    found = pd.DataFrame(rows)
    found["winners_right"] = f"{right}/{all_}"
    return found


def winners(layers: pd.DataFrame) -> tuple[int, int]:
    """Of pairs of precisions of one layer that differ by above 20 %, how many are ordered right."""
    right = all_ = 0
    for _, group in layers.groupby(["layer", "batch"]):
        for i, one in enumerate(group.itertuples()):
            for other in list(group.itertuples())[i + 1 :]:
                ratio = one.measured_s / other.measured_s
                if max(ratio, 1 / ratio) > 1.2:
                    all_ += 1
                    right += (one.modelled_s > other.modelled_s) == (ratio > 1)
    return right, all_


def compare_network(
    weights: Path, network: hwmodel.Network, preset: hwmodel.Preset, batches: list[int], out: Path
) -> pd.DataFrame:
    """What `nenni bench` measures, and what the model gives for it where it has a say.

    The injected network's model skips what is not essential; today's code does not.
    """
    command = [sys.executable, "-m", "nenni", "bench", str(weights), "--threads", "1"]
    command += ["--batch", *map(str, batches), "--out", str(out / "bench.csv")]
    subprocess.run(command, check=True)
    measured = read_csv(out / "bench.csv")
    measured = measured.loc[measured["layer"] == WHOLE, MEASURED]
    measured = measured.rename(columns={"wall_seconds": "seconds"})
    for batch in batches:
        total = hwmodel.latency(network, preset, batch)[-1]
        modelled = {
            "fp32": total.dense_fp32_s, "bf16": total.dense_fp16_s, "int8": total.dense_int8_s,
            "injected": total.injected_s,
        }  # fmt: skip
        here = measured["batch"] == batch
        measured.loc[here, "modelled_s"] = measured.loc[here, "variant"].map(modelled)
    return measured


def draw(layers: pd.DataFrame, whole: pd.DataFrame, out: Path) -> None:
    """Modelled against measured time, of layers and of the network."""
    prepare()
    figure, (left, right) = grid(2, 7.2, 3.2, columns=2)
    for i, ((precision, batch), group) in enumerate(
        layers.groupby(["precision", "batch"], sort=False)
    ):
        label = f"{precision}, batch {batch}"
        style = {"color": COLOURS[i % 8], "marker": MARKERS[i % 8]}
        left.scatter(
            group["measured_s"] * 1e3, group["modelled_s"] * 1e3, s=14, label=label, **style
        )
    left.set_title("dense layers")
    for i, (batch, group) in enumerate(whole.dropna(subset="modelled_s").groupby("batch")):
        right.scatter(
            group["seconds"] * 1e3, group["modelled_s"] * 1e3, s=18, color=COLOURS[i],
            marker=MARKERS[i], label=f"batch {batch}",
        )  # fmt: skip
        for row in group.itertuples():
            right.annotate(
                LABELS.get(row.variant, row.variant),
                (row.seconds * 1e3, row.modelled_s * 1e3), fontsize=7,
                xytext=(-5, 2), textcoords="offset points", ha="right",
            )  # fmt: skip
    right.set_title("whole network")
    for axis in (left, right):
        diagonal(axis)
        axis.legend(loc="lower right")
    save(figure, out / "measured_and_modelled.pdf", out / "measured_and_modelled.png")


def diagonal(axis: Axes) -> None:
    """Logarithmic axes with the line on which the model is right."""
    axis.set_xscale("log")
    axis.set_yscale("log")
    low, high = (
        min(axis.get_xlim()[0], axis.get_ylim()[0]),
        max(axis.get_xlim()[1], axis.get_ylim()[1]),
    )
    axis.plot([low, high], [low, high], color="#8C8C8C", lw=0.8, zorder=0)
    axis.set_xlabel("measured (ms)")
    axis.set_ylabel("modelled (ms)")


if __name__ == "__main__":
    main()
