"""Run SCALE-Sim 3.0.0 on matrix products, with buffers that do not hold them.

    python3 -m venv ENV && ENV/bin/pip install scalesim==3.0.0 "numpy<2.3"
    ENV/bin/python workflow/scripts/scalesim_rows.py OUT.csv

In an environment of its own, since nothing here needs SCALE-Sim. It makes the rows of
tests/hwmodel/data/scalesim_buffers.csv: GEMM mode, all three dataflows, each of the three buffers
of so many kB, bandwidth estimated (so that nothing stalls).
"""

import configparser
import contextlib
import csv
import io
import itertools
import sys
import tempfile
from pathlib import Path

from scalesim.scale_sim import scalesim

ARRAYS = ((16, 16), (8, 32))
BUFFERS = (1, 2, 4, 16, 64)
PRODUCTS = (
    (196, 48, 72),
    (49, 96, 216),
    (256, 24, 40),
    (64, 64, 144),
    (16, 128, 288),
    (30, 50, 70),
    (1, 40, 100),
)
"""M x n x d: convolutions' and linear layers' shapes, some of no multiple of the array."""
COLUMNS = (
    "dataflow", "rows", "cols", "buffer_kb", "M", "n", "d", "cycles", "sram_inputs", "sram_weights",
    "sram_outputs", "dram_inputs", "dram_weights", "dram_outputs",
)  # fmt: skip


def main() -> None:
    """Write the table."""
    rows = [
        row
        for flow, array, buffer in itertools.product(("os", "ws", "is"), ARRAYS, BUFFERS)
        for row in simulated(flow, array, buffer)
    ]
    with Path(sys.argv[1]).open("w", encoding="utf-8", newline="") as file:
        file.write(
            "# SCALE-Sim 3.0.0 in GEMM mode, three buffers of so many kB each, as"
            " workflow/scripts/scalesim_rows.py runs it.\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def simulated(flow: str, array: tuple[int, int], buffer: int) -> list[list[object]]:
    """One row for each product."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        lines = ["Layer,M,N,K,", *(f"p{i},{m},{n},{k}," for i, (m, n, k) in enumerate(PRODUCTS))]
        (here / "products.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (here / "layout.csv").write_text("Layer,\n", encoding="utf-8")
        with (here / "run.cfg").open("w", encoding="utf-8") as file:
            _config(flow, array, buffer).write(file)
        with contextlib.redirect_stdout(io.StringIO()):
            run = scalesim(
                save_disk_space=True, verbose=False, config=str(here / "run.cfg"),
                topology=str(here / "products.csv"), layout=str(here / "layout.csv"),
                input_type_gemm=True,
            )  # fmt: skip
            run.run_scale(top_path=str(here))
        compute = _report(here / "run" / "COMPUTE_REPORT.csv")
        access = _report(here / "run" / "DETAILED_ACCESS_REPORT.csv")
    return [
        [flow, *array, buffer, *product, int(float(times[2])) - int(float(times[3])),
         *(int(float(found[i])) for i in (3, 6, 9, 12, 15, 18))]
        for product, times, found in zip(PRODUCTS, compute, access, strict=True)
    ]  # fmt: skip


def _report(path: Path) -> list[list[str]]:
    """Cells of a report below its heading, as numbered in it."""
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return [[cell.strip() for cell in line.split(",")] for line in lines]


def _config(flow: str, array: tuple[int, int], buffer: int) -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read_dict(
        {
            "general": {"run_name": "run"},
            "run_presets": {"InterfaceBandwidth": "CALC", "UseRamulatorTrace": "False"},
            "architecture_presets": {
                "ArrayHeight": array[0], "ArrayWidth": array[1], "Dataflow": flow,
                "ifmapsramszkB": buffer, "filtersramszkB": buffer, "ofmapsramszkB": buffer,
                "IfmapOffset": 0, "FilterOffset": 10**7, "OfmapOffset": 2 * 10**7, "Bandwidth": 10,
                "ReadRequestBuffer": 512, "WriteRequestBuffer": 512,
            },
            "layout": {
                f"{of}{key}": value
                for of in ("Ifmap", "Filter")
                for key, value in (
                    ("CustomLayout", "False"), ("SRAMBankBandwidth", 10), ("SRAMBankNum", 1),
                    ("SRAMBankPort", 2),
                )
            },
            "sparsity": {"SparsitySupport": "false"},
        }
    )  # fmt: skip
    return config


if __name__ == "__main__":
    main()
