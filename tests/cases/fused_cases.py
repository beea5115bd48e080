"""Awkward numbers for operators that have a kernel of their own, and what runs the kernels."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from gpu import NEEDS_GPU
from torch import Tensor

from nenni.method.fused.operators import has_triton

DEVICES = ["cpu", pytest.param("cuda", marks=NEEDS_GPU)]
KINDS = ("normal", "ties", "constant", "infinite", "nan", "all nan")


def awkward(kind: str, *shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Numbers of a kind."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(*shape, generator=generator)
    some = torch.rand(*shape, generator=generator) < 0.2
    found: dict[str, Tensor] = {
        "normal": z,
        "ties": z.mul(3).trunc(),
        "constant": torch.full_like(z, 3.25),
        "infinite": z.masked_fill(some, torch.inf).masked_fill(z < -1.5, -torch.inf),
        "nan": z.masked_fill(some, torch.nan),
        "all nan": torch.full_like(z, torch.nan),
    }
    return found[kind].to(dtype)


def interpreted(program: str) -> None:
    """Run a program in which Triton's kernels are interpreted, without a GPU."""
    in_a_process(program, TRITON_INTERPRET="1")


def in_a_process(program: str, **variables: str) -> None:
    """Run a program that uses Triton, with some variables of the environment."""
    if not has_triton():
        pytest.skip("no Triton of a version with which the kernels work, or no C compiler")
    root = Path(__file__).parents[2]
    path = os.pathsep.join(map(str, (root, root / "tests" / "cases")))
    environment = {**os.environ, "PYTHONPATH": path, **variables}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
