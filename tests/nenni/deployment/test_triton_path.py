"""The kernels in Triton give the codes of torch's path: interpreted, and on a GPU."""

from typing import Any

import pytest
import torch
from deployment_cases import images, small, steps_beside_simulation
from fused_cases import interpreted
from gpu import NEEDS_GPU

import nenni
from nenni.core.errors import UserError
from nenni.deployment import compiled

PROGRAM = """
import torch
from deployment_cases import images, small
from nenni.deployment import torch_path, triton_path
from nenni.deployment.convolution import Skipping
from nenni.deployment.deploy import deploy
from nenni.deployment.program import run

def compared(network, x):
    found = []
    def watch(name, layer, codes, added):
        path = "skipping" if isinstance(layer, Skipping) else "dense"
        theirs, ours = (getattr(p, path)(layer, codes, added) for p in (torch_path, triton_path))
        assert theirs.shape == ours.shape and theirs.dtype == ours.dtype, name
        off = (theirs.float() - ours.float()).abs()
        assert (off > 1e-3).float().mean() < 2e-3 and off.max() < 1.5, (name, off.max())
        found.append(name)
    run(network.simulation, network.steps, x, watch)
    assert len(found) == 6, found

for choices in ({}, {"input_bits": 4, "projected_bits": 4}, {"score": "magnitude"},
                {"normalise": False, "tile": (32, 3)}, {"tile": (64, 1000)}, {"fraction": 0.0},
                {"fraction": 1.0}, {"width": 7, "tile": (16, 8)}, {"size": 5, "tile": (16, 20)}):
    size = choices.get("size", 9)
    network = deploy(small(**choices), images(16, size), skip="everywhere", kernel="torch")
    compared(network, images(2, size))
"""


@pytest.mark.long
def test_the_kernels_interpreted_give_the_codes_of_torchs_path() -> None:
    interpreted(PROGRAM)


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=NEEDS_GPU)])
@pytest.mark.parametrize("choices", [{}, {"input_bits": 4, "projected_bits": 4}, {"tile": (64, 64)}], ids=str)  # fmt: skip
def test_each_layer_on_a_gpu_gives_the_codes_of_the_simulation(
    device: str, choices: dict[str, Any]
) -> None:
    noisy = small(**choices).to(device)
    network = nenni.deploy(noisy, images(16).to(device), skip="everywhere")
    assert network.kernel == "triton"
    found = dict(steps_beside_simulation(network, images(7).to(device)))
    assert len(found) == 6
    for name, steps in found.items():
        assert (steps > 0.5).float().mean() < 2e-3, name
    assert network(images(3).to(device)).shape == (3, 5)


def test_a_gpu_without_triton_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "has_triton", lambda: False)
    with pytest.raises(UserError, match=r"kernels in Triton, which is not installed here.*cpu\(\)"):
        compiled.kernels(torch.device("cuda"))
    monkeypatch.setattr(compiled, "has_triton", lambda: True)
    assert compiled.kernels("cuda") == ("triton",)
