"""What the library computes with, a GPU can compute so that it is the same each time."""

import os
from collections.abc import Callable, Iterator

import pytest
import torch
from attack_cases import BOTH, attack_of, draws
from cuda_cases import nothing_refused
from torch import Tensor, nn

import nenni
from nenni.adversary.suite_attacks import FURTHER, SUITES, THROUGH
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.core.instruction_set import variables
from nenni.core.plugins import Ref
from nenni.method.fit import fit
from nenni.method.injection import inject
from nenni.method.selection.random import Random
from nenni.method.selection.threshold import Threshold
from nenni.method.selection.topk import TopK
from nenni.method.selection_base import Selection
from nenni.method.spec import InjectionSpec

Digits = tuple[Tensor, Tensor]
LONGER = FURTHER["standard"]


@pytest.mark.parametrize("work", [lambda x: x.median(0), lambda x: x[0].kthvalue(1)])
def test_what_a_gpu_refuses_is_found(work: Callable[[Tensor], object]) -> None:
    with pytest.raises(AssertionError, match="a GPU refuses"), nothing_refused():
        work(torch.rand(3, 3))


@pytest.mark.parametrize(("norm", "name"), BOTH)
def test_attacks(norm: str, name: str, trained: nn.Module, digits: Digits) -> None:
    with nothing_refused():
        attack_of(norm, name)(trained, digits[0][:4], digits[1][:4], 0.3, draws())


@pytest.mark.long
def test_evaluating_and_diagnosing(trained: nn.Module, digits: Digits) -> None:
    held_out = digits[0][800:808], digits[1][800:808]
    with nothing_refused():
        nenni.evaluate(trained, held_out, short({**SUITES["standard"], **LONGER}), eps=0.1)
        nenni.diagnose(trained, held_out, eps=0.1)


@pytest.mark.long
@pytest.mark.parametrize("selection", [TopK(0.5), Threshold(0.5), Random(0.5)])
def test_an_injected_network(
    selection: Selection,
    trained: nn.Module,
    digits: Digits,
    make_spec: Callable[..., InjectionSpec],
) -> None:
    held_out = digits[0][800:804], digits[1][800:804]
    suite = {"pgd": SUITES["standard"]["pgd_20"]}
    if not isinstance(selection, Random):
        suite |= {**THROUGH, "square": LONGER["square_5000"]}
    with nothing_refused():
        network = inject(trained, make_spec(selection=selection), digits[0][:2])
        fit(network, digits[0][:50])
        nenni.evaluate(network, held_out, short(suite), eps=0.1, draws=2)


def short(suite: dict[str, Ref]) -> dict[str, Ref]:
    """The same attacks with few steps and queries."""
    few = {"steps": 2, "queries": 20}
    return {
        name: attack | {key: least for key, least in few.items() if key in attack}
        for name, attack in suite.items()
    }


AVX2 = {"threads": 1, "device": "cpu", "instruction_set": "avx2"}


@pytest.fixture
def told_avx2(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if torch had been imported in an environment that asks for it, and had taken it."""
    monkeypatch.setattr("nenni.core.processor.features", lambda: {"avx2", "fma", "f16c"})
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")
    for variable, value in variables("avx2").items():
        monkeypatch.setenv(variable, value)


@pytest.mark.usefixtures("told_avx2")
def test_an_instruction_set_that_torch_did_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime.prepare(AVX2) == torch.device("cpu")
    for found in ("AVX512", "DEFAULT", "SVE256"):
        monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda found=found: found)
        with pytest.raises(UserError, match=f"torch took {found.lower()}; set auto"):
            runtime.prepare(AVX2)
        runtime.prepare(AVX2 | {"instruction_set": "auto"})


@pytest.mark.usefixtures("told_avx2")
@pytest.mark.parametrize("library", ["mkl", "mkldnn"])
def test_a_torch_that_the_instruction_set_does_not_bind(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"torch.backends.{library}.is_available", lambda: False)
    with pytest.raises(UserError, match="without MKL or oneDNN"):
        runtime.prepare(AVX2)


def test_an_instruction_set_that_torch_was_not_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nenni.core.processor.features", lambda: {"avx2", "fma", "f16c"})
    for variable in variables("avx2"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UserError, match="asked for after torch was imported"):
        runtime.prepare(AVX2)


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if there was one; torch's switches are put back."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    switches = [(cudnn, "benchmark"), (cudnn, "allow_tf32"), (matmul, "allow_tf32")]
    before = [getattr(owner, name) for owner, name in switches]
    yield
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]
    for (owner, name), value in zip(switches, before, strict=True):
        setattr(owner, name, value)


@pytest.mark.usefixtures("with_gpu")
@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("tf32", [True, False])
def test_a_gpu_does_as_the_config_says(deterministic: bool, tf32: bool) -> None:
    asked = {"threads": 1, "device": "cuda", "deterministic": deterministic, "tf32": tf32}
    assert runtime.prepare(asked) == torch.device("cuda")
    assert torch.are_deterministic_algorithms_enabled() == deterministic
    assert torch.backends.cudnn.benchmark != deterministic
    assert ("CUBLAS_WORKSPACE_CONFIG" in os.environ) == deterministic
    assert torch.backends.cudnn.allow_tf32 == torch.backends.cuda.matmul.allow_tf32 == tf32


@pytest.mark.usefixtures("with_gpu")
def test_a_gpu_is_deterministic_unless_told_otherwise() -> None:
    runtime.prepare({"threads": 1, "device": "cuda"})
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.allow_tf32
