"""A network's passes by torch.compile, or a word why not."""

import os
import subprocess
import sys
import warnings
from unittest import mock

import pytest
import torch
from torch import nn

from nenni.networks import compiled as module
from nenni.networks.compiled import compiled

CPU = torch.device("cpu")


def test_not_asked_for_nothing_changes() -> None:
    model = nn.Linear(2, 2)
    with compiled(model, CPU, wanted=False):
        assert model._compiled_call_impl is None


def test_without_a_compiler_it_goes_on_with_a_word() -> None:
    model, x = nn.Linear(2, 2), torch.rand(3, 2)
    with (
        mock.patch.object(module, "what_lacks", return_value="no C++ compiler was found"),
        warnings.catch_warnings(record=True) as caught,
        compiled(model, CPU, wanted=True),
    ):
        assert model._compiled_call_impl is None
        assert model(x).shape == (3, 2)
    (told,) = (str(warning.message) for warning in caught)
    assert "device cpu (no C++ compiler was found); the network goes on uncompiled" in told


@pytest.mark.slow
def test_a_missing_compiler_is_found_out() -> None:
    program = "from nenni.networks.compiled import what_lacks; print(what_lacks('cpu'))"
    environment = {**os.environ, "CXX": "no-such-compiler", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert "compiler" in done.stdout.lower(), done.stderr


@pytest.mark.slow
def test_compiled_passes_agree_within_rounding_and_what_cannot_be_traced_goes_on() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x) if float(x.sum()) > 0 else -self.linear(x)

    if module.what_lacks("cpu"):
        pytest.skip("no C++ compiler here")
    model, x = nn.Sequential(Odd(), nn.ReLU()), torch.randn(5, 4)
    expected = model(x), model(-x)
    with warnings.catch_warnings(record=True) as caught, compiled(model, CPU, wanted=True):
        found = model(x), model(-x)
    assert model._compiled_call_impl is None
    torch.testing.assert_close(found, expected)
    assert any("within rounding" in str(warning.message) for warning in caught)


@pytest.mark.slow
def test_a_network_of_torch_s_own_parts_is_one_graph() -> None:
    if lacks := module.what_lacks("cpu"):
        pytest.skip(lacks)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))
    with warnings.catch_warnings(record=True), compiled(model, CPU, wanted=True):
        model(torch.randn(5, 4))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
