"""Run ZigZag on a workload with an accelerator that it brings, in an environment that has it."""

import sys
from pathlib import Path

import zigzag
from zigzag.api import get_hardware_performance_zigzag

INPUTS = Path(zigzag.__file__).parent / "inputs"
workload, dump = sys.argv[1:]
get_hardware_performance_zigzag(
    workload,
    str(INPUTS / "hardware" / "tpu_like.yaml"),
    str(INPUTS / "mapping" / "tpu_like.yaml"),
    dump_folder=dump,
    pickle_filename=f"{dump}/list.pickle",
    loma_show_progress_bar=False,
)
