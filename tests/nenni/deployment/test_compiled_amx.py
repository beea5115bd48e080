"""Tiles of AMX, on a processor that has them or, by a model of the unit, on one with AVX-512."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from deployment_cases import around, images, kernel_or_skip, small
from torch import Tensor, nn

from nenni.deployment.compiled import kernels
from nenni.deployment.deploy import deploy
from nenni.deployment.program import computing, run

LIKE = "avx512_vnni"


@pytest.mark.long
def test_by_a_model_of_the_unit_they_give_what_is_asked_for() -> None:
    if LIKE not in kernels():
        pytest.skip(f"no {LIKE} here, which finishes what tiles add up: {', '.join(kernels())}")
    if "amx" in kernels():
        pytest.skip("this processor has tiles: the tests below see them as they are")
    here, cases = Path(__file__).parent, Path(__file__).parents[2] / "cases"
    tests = [str(here / name) for name in ("test_compiled_amx.py", "test_program.py")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "amx_model", "-k", "amx", *tests],
        env=os.environ | {"PYTHONPATH": str(cases)},
        cwd=here.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout, done.stdout


def _both(network: nn.Module, calibrating: Tensor, x: Tensor) -> int:
    """Check that both kernels give the same bits of each layer; how many there are."""
    deployed = deploy(network, calibrating, skip="everywhere", kernel=kernel_or_skip("amx"))
    found = []

    def compare(name: str, layer: Any, codes: Tensor, added: Tensor | None) -> None:
        a, b = (computing(kernel, layer)(codes, added) for kernel in ("amx", LIKE))
        assert torch.equal(a, b), name
        found.append(name)

    run(deployed._program, x, compare)
    return len(found)


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"width": 64, "size": 16},
        {"width": 64, "size": 32, "tile": (32, 32)},
        {"width": 64, "size": 12, "tile": (16, 8)},
        {"width": 48, "size": 5, "score": "magnitude"},
        {"width": 7, "fraction": 0.0},
        {"width": 130, "size": 4, "fraction": 1.0},
        {"width": 16, "size": 20, "tile": (64, 1000)},
        {"input_bits": 4, "projected_bits": 4, "normalise": False},
    ],
    ids=str,
)
def test_tiles_give_the_bits_of_avx512(choices: dict[str, Any]) -> None:
    size = choices.get("size", 9)
    assert _both(small(**choices), images(16, size), images(3, size)) == 6


@pytest.mark.parametrize("channels", [3, 16, 20, 64, 68, 128])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "padding"),
    [(1, 1, 1, 0), (1, 3, 1, 0), (3, 2, 2, 2), (9, 1, 1, 4), ((5, 3), (1, 2), (1, 2), (2, 1))],
    ids=str,
)
def test_tiles_take_any_geometry(
    channels: int, kernel: Any, stride: Any, dilation: Any, padding: Any
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(channels, 40, kernel, stride, padding, dilation)
    assert _both(around(layer, 18), images(8, 18), images(8, 18)) == 2
