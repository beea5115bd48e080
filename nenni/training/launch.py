"""Start the same command in several processes that work together."""

import sys

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch


def launch(processes: int) -> int:
    """Run this command once more per process, as torchrun does; returns the exit status.

    Parameters
    ----------
    processes : int
        How many, on this machine: one per GPU, or any number on a CPU.
    """
    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=processes, run_id="nenni", rdzv_backend="c10d",
        rdzv_endpoint="localhost:0", max_restarts=0,
    )  # fmt: skip
    try:
        elastic_launch(config, sys.executable)("-m", "nenni", *sys.argv[1:])
    except ChildFailedError as error:
        return max(1, error.get_first_failure()[1].exitcode)
    return 0
