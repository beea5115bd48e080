"""Bounds of a deployed layer by hand, and what they are set beside."""

import platform
import shutil
import time
from typing import Any

import pandas as pd
import pytest
import torch
from scripts import script_named

RATES = pd.DataFrame(
    {"what": ["products", "L1", "L2", "memory"], "bytes": [None, 2**15, 2**20, None],
     "per_ns": [100.0, 70.0, 50.0, 10.0]}
)  # fmt: skip


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("deployment_limits")


def test_products_and_bytes_of_a_layer(script: Any) -> None:
    """3x3 on 8x8: P is 2 x 16 at 64 places, W~ 32 x 2 at 500 taps; a half of the exact products."""
    shape = script.Shape(16, 32, 9, 64, 64, 500)
    exact = 16 * 32 * 500
    assert shape.products(1.0) == exact
    assert shape.products(0.5) == exact / 2 + 2 * 16 * 64 + 32 * 2 * 500
    assert shape.moved(1.0, 3) == 16 * 32 * 9 + 3 * (16 + 32) * 64
    assert shape.moved(0.5, 1) == 16 * 32 * 9 + 2 * (16 + 32 * 9) + (16 + 32) * 64


def test_the_shapes_are_those_of_the_network(script: Any) -> None:
    """Of 3x3 taps on 32x32 with stride 2 those of the first row and column lie outside."""
    shapes = script.shapes_of(16)
    assert shapes["layer2.0.conv1"] == script.Shape(16, 32, 9, 1024, 256, 47 * 47)
    assert shapes["layer2.0.shortcut.0"] == script.Shape(16, 32, 1, 1024, 256, 256)
    assert (
        shapes["layer4.1.conv2"].inside == 10 * 10
    )  # of 4x4 positions, 3 each along a side less 2


def test_a_bound_is_the_larger_of_both(script: Any) -> None:
    shape = script.shapes_of(16)["layer4.1.conv2"]
    rows = pd.DataFrame(
        {"width": 16, "batch": 2, "layer": "layer4.1.conv2", "fraction": [0.5, 0.25],
         "dense": [3e-4, 2e-4], "skipping": [1e-4, 5e-5]}
    )  # fmt: skip
    dense, half, quarter = script.limits(rows, RATES)
    assert [dense["exact"], half["exact"], quarter["exact"]] == [1.0, 0.5, 0.25]
    assert dense["measured_s"] == 2e-4  # the least of its measurements
    assert dense["products_s"] == 2 * shape.products(1.0) / 100e9
    assert half["bytes_s"] == shape.moved(0.5, 2) / 50e9
    for row in (dense, half, quarter):
        bound = max(row["products_s"], row["bytes_s"])
        assert row["of_bound"] == pytest.approx(bound / row["measured_s"])


def test_bytes_come_from_the_smallest_level_that_holds_them(script: Any) -> None:
    held = {"L1": 2.0**15, "L2": 2.0**20}
    found = [script.level_of(n, held) for n in (2**10, 2**15, 2**15 + 1, 2**20, 2**21)]
    assert found == ["L1", "L1", "L2", "L2", "memory"]


@pytest.mark.long
@pytest.mark.skipif(
    shutil.which("c++") is None or platform.machine() not in ("x86_64", "AMD64"),
    reason="needs a C++ compiler and an x86 processor",
)
def test_a_core_has_rates() -> None:
    """Products are more than a loop in C that a compiler makes of the plain sum."""
    rates = script_named("_core_rates").core_rates().set_index("what")["per_ns"]
    assert [rates.index[0], rates.index[-1]] == ["products", "memory"]
    codes, weights = torch.ones(2048, 2048, dtype=torch.uint8), torch.ones(2048, 2048)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        packed = torch.ops.quantized.linear_prepack(
            torch.quantize_per_tensor(weights, 0.1, 0, torch.qint8), None
        )
        inputs = torch.quantize_per_tensor(codes.float(), 0.1, 0, torch.quint8)
        start, n = time.perf_counter(), 0
        while time.perf_counter() - start < 1:
            torch.ops.quantized.linear(inputs, packed, 1.0, 0)
            n += 1
        by_torch = n * 2048**3 / (time.perf_counter() - start) / 1e9
    finally:
        torch.set_num_threads(before)
    assert rates["products"] > by_torch
    assert rates.iloc[1] > rates["memory"] > 0.1
