"""The kernels in Triton give the codes of torch's path: interpreted, and on a GPU."""

from typing import Any

import pytest
import torch
from deployment_cases import images, small, steps_beside_simulation
from fused_cases import in_a_process, interpreted
from gpu import NEEDS_GPU

import nenni
from nenni.core.errors import UserError
from nenni.deployment import compiled

PROGRAM = """
from dataclasses import replace
import torch
from deployment_cases import images, small
from nenni.deployment import torch_path, triton_path
from nenni.deployment.convolution import Dense, Skipping
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
        if isinstance(layer, Dense) and not layer.written.as_numbers:  # halves go to the even one
            factor = torch.full_like(layer.factor, layer.written.plane.scale / 64)
            halves = replace(layer, factor=factor, offset=torch.zeros_like(factor))
            codes, theirs = (p.dense(halves, codes, None) for p in (torch_path, triton_path))
            assert torch.equal(codes, theirs) and len(codes.unique()) > 20
    run(network._program, x, watch)
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


COMPILED = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from nenni.deployment.triton_path import _tile

def ptx(divisor):
    given = dict(TAPS=9, DEPTH=256, ZERO=0, AT_ONCE=64, HIGH=64, WIDE=64, ROWS=64, COLUMNS=64,
                 CHOSEN=False, SCORED=True, MAGNITUDE=False, ADDED=False, NUMBERS=False,
                 DIVISOR=divisor, DIVISOR_OUT=divisor, DIVISOR_ADDED=1,
                 chosen=None, residual=None, residual_position=None)
    bytes_, floats = ("codes", "out"), ("factor", "offset", "score_factor", "score_offset", "means")
    kinds = dict.fromkeys(bytes_, "*u8") | dict.fromkeys(floats, "*fp32") | {"weights": "*i8"}
    kinds |= dict.fromkeys(("tap", "position", "out_position"), "*i32")
    kinds |= dict.fromkeys(("low", "high", "residual_factor"), "fp32")
    names = _tile.arg_names
    signature = {n: "constexpr" if n in given else kinds.get(n, "i32") for n in names}
    aligned = [i for i, n in enumerate(names) if signature[n][0] == "*" or n.endswith("_bytes")]
    source = ASTSource(_tile, signature, {(names.index(n),): v for n, v in given.items()},
                       {(i,): [["tt.divisibility", 16]] for i in aligned + [names.index("n")]})
    return triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm["ptx"]

wide, narrow = ptx(16), ptx(1)
assert "wgmma" in wide and "cp.async" in wide
assert "ld.global.b8" not in wide and "st.global.b8" not in wide
assert "cp.async" not in narrow and "ld.global.b8" in narrow
"""


@pytest.mark.long
def test_compiled_for_a_gpu_that_is_not_here_bytes_are_read_and_multiplied_many_at_once() -> None:
    in_a_process(COMPILED)


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


def test_a_gpu_without_triton_or_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "has_triton", lambda: False)
    with pytest.raises(
        UserError, match=r"in Triton, which is not installed here, is older than 3\.6, .*cpu\(\)"
    ):
        compiled.kernels(torch.device("cuda"))
    monkeypatch.setattr(compiled, "has_triton", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    with pytest.raises(UserError, match=r"has compute capability 7\.5, and the kernels need 8\.0"):
        compiled.kernels("cuda")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    assert compiled.kernels("cuda") == ("triton",)
