"""The cost model beside SCALE-Sim, on all products that were run: how many counts are equal.

    python workflow/scripts/scalesim_comparison.py

Reads what SCALE-Sim 3.0.0 gave (tests/hwmodel/data: the layers of ResNet-18, and by
scalesim_rows.py products with buffers that do not hold them), writes
results/reference/cost/scalesim.csv. Bytes from memory are those that `hwmodel.loops.needs` has for
the three buffers apart, of each of which half, in hundredths, holds what comes again.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from hwmodel.loops import ORDERS, Need, needs, systolic
from hwmodel.product import Product
from hwmodel.systolic import Dataflow, cycles, reads
from nenni.core.io import write_csv

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "hwmodel" / "data"
TABLE = ROOT / "results" / "reference" / "cost" / "scalesim.csv"
FLOWS: dict[str, Dataflow] = {
    "os": "output_stationary", "ws": "weight_stationary", "is": "input_stationary",
}  # fmt: skip


def main() -> None:
    """Write the table."""
    write_csv(TABLE, compared())


def compared() -> pd.DataFrame:
    """Products and equal counts, by dataflow and what is counted."""
    found = pd.DataFrame(
        [*_layers(), *_buffers()], columns=["dataflow", "counted", "here", "theirs"]
    )
    found["equal"] = found["here"] == found["theirs"]
    grouped = found.groupby(["counted", "dataflow"], sort=False)["equal"]
    return grouped.agg(products="size", equal="sum").reset_index()


def _rows(file: str) -> Iterator[dict[str, str]]:
    lines = (DATA / file).read_text(encoding="utf-8").splitlines()
    return csv.DictReader(line for line in lines if not line.startswith("#"))


def _layers() -> Iterator[tuple[str, str, int, int]]:
    for row in _rows("scalesim_resnet18_32x32.csv"):
        flow, array = FLOWS[row["dataflow"]], (int(row["rows"]), int(row["cols"]))
        product = Product(int(row["M"]), int(row["N"]), int(row["K"]))
        found = reads(product, *array, flow)
        yield flow, "cycles", cycles(product, *array, flow), int(row["compute_cycles"])
        yield flow, "inputs read by the array", found.inputs, int(row["sram_ifmap_reads"])
        yield flow, "weights read by the array", found.weights, int(row["sram_filter_reads"])
        yield flow, "sums that leave the array", found.outputs, int(row["sram_ofmap_writes"])


def _buffers() -> Iterator[tuple[str, str, int, int]]:
    for row in _rows("scalesim_buffers.csv"):
        flow, array = FLOWS[row["dataflow"]], (int(row["rows"]), int(row["cols"]))
        product = Product(int(row["M"]), int(row["n"]), int(row["d"]))
        found = reads(product, *array, flow)
        yield flow, "cycles", cycles(product, *array, flow), int(row["cycles"])
        yield flow, "inputs read by the array", found.inputs, int(row["sram_inputs"])
        yield flow, "weights read by the array", found.weights, int(row["sram_weights"])
        yield flow, "sums that leave the array", found.outputs, int(row["sram_outputs"])
        need = needs(product, systolic(*array, flow), ORDERS[flow])
        half = 50 * (int(row["buffer_kb"]) * 1024 // 100)
        inputs = _fetched(product.M * product.d, need["inputs"], half)
        weights = _fetched(product.n * product.d, need["weights"], half)
        sums, written = product.M * product.n * need["sums"].times, int(row["dram_outputs"])
        line = written if 0 <= written - sums < array[1] else sums
        yield flow, "inputs from memory", inputs, int(row["dram_inputs"])
        yield flow, "weights from memory", weights, int(row["dram_weights"])
        yield flow, "sums to memory, to a line of the array's columns", line, written


def _fetched(numbers: int, need: Need, held: int) -> int:
    return numbers * (1 if need.share * numbers < held else need.times)


if __name__ == "__main__":
    main()
