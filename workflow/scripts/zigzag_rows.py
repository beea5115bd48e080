"""Run zigzag-dse 3.9.1 on workloads that hwmodel exported, on accelerators that it brings.

    python workflow/scripts/zigzag_comparison.py --workload WORKLOAD.yaml
    python3 -m venv ENV && ENV/bin/pip install zigzag-dse==3.9.1 six
    ENV/bin/python workflow/scripts/zigzag_rows.py WORKLOAD.yaml OUT.csv tpu_like edge_tpu_like

In an environment of its own, since nothing here needs ZigZag: that of the slow tests, which ask for
its interpreter by the variable ZIGZAG_PYTHON. These lines made tests/hwmodel/data/zigzag_rows.csv.
A file of ``python -m hwmodel export`` does as a workload too. Each mapping is the one of least
latency, ZigZag's default.
"""

import csv
import json
import logging
import sys
import tempfile
from pathlib import Path

import zigzag
from zigzag.api import get_hardware_performance_zigzag

INPUTS = Path(zigzag.__file__).parent / "inputs"
HARDWARE = {"meta_prototype_like": "meta_prototype"}
"""Accelerators whose file has another name than the mapping's."""


def main() -> None:
    """Write the table."""
    logging.disable(logging.INFO)
    workload, out, *names = sys.argv[1:]
    found = [row for name in names for row in costs(workload, name)]
    with Path(out).open("w", encoding="utf-8", newline="") as file:
        file.write(
            "# zigzag-dse 3.9.1 with its own constants, as workflow/scripts/zigzag_rows.py runs"
            " it.\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("accelerator", "workload", "cycles", "pj"))
        writer.writerows(found)


def costs(workload: str, name: str) -> list[tuple[str, str, float, float]]:
    """Cycles and picojoules of every workload on one accelerator."""
    with tempfile.TemporaryDirectory() as dump:
        get_hardware_performance_zigzag(
            workload, str(INPUTS / "hardware" / f"{HARDWARE.get(name, name)}.yaml"),
            str(INPUTS / "mapping" / f"{name}.yaml"), dump_folder=dump,
            pickle_filename=f"{dump}/list.pickle", loma_show_progress_bar=False,
        )  # fmt: skip
        rows = []
        for path in sorted(Path(dump).glob("*_complete.json")):
            outputs = json.loads(path.read_text(encoding="utf-8"))["outputs"]
            cycles = sum(outputs["latency"].values())
            layer = path.name.removesuffix("_complete.json")
            rows.append((name, layer, cycles, outputs["energy"]["energy_total"]))
    return rows


if __name__ == "__main__":
    main()
