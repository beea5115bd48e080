"""Make torch deterministic, and choose the device."""

import os

import torch


def prepare(threads: int) -> torch.device:
    """Fix the number of threads and deterministic algorithms; return the device to work on.

    Results depend on the number of threads in the last bit, and hard masks amplify it: the number
    comes from the config, never from the machine.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
