"""An instruction set is what torch computes with, or it is refused."""

import os
import subprocess
import sys

import pytest
import torch
from instruction_sets import MISSING, needs_avx2

from nenni.core import instruction_set
from nenni.core.errors import UserError
from nenni.core.instruction_set import NAMES, STEERING, use_instruction_set, variables

PINNED = [name for name in NAMES if name != "auto"]
ALL = frozenset().union(*instruction_set._NEEDED.values())


@pytest.fixture(autouse=True)
def _told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in STEERING:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that has everything."""
    monkeypatch.setattr("nenni.core.processor.features", lambda: ALL)


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env=os.environ | environment,
    )  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("name", PINNED)
def test_torch_takes_it(name: str) -> None:
    if MISSING[name]:
        pytest.skip(f"the processor has no {', '.join(MISSING[name])}")
    done = python(
        f"import nenni; nenni.use_instruction_set({name!r}); import torch; "
        "from nenni.core import instruction_set, runtime; "
        f"runtime.prepare({{'threads': 1, 'device': 'cpu', 'instruction_set': {name!r}}}); "
        "print(torch.backends.cpu.get_cpu_capability().lower(), instruction_set.in_force())"
    )
    assert done.stdout.split() == [name, name], done.stderr


BITS = """
import nenni, hashlib
nenni.use_instruction_set({name!r})
import torch
torch.set_num_threads(1)
draws = torch.Generator().manual_seed(0)
a, b = (torch.rand(n, n, generator=draws) for n in (577, 577))
x, w = torch.rand(8, 17, 28, 28, generator=draws), torch.rand(32, 17, 3, 3, generator=draws)
for made in (a @ b, torch.conv2d(x, w, padding=1), torch.softmax(a, 1)):
    print(hashlib.sha256(made.numpy().tobytes()).hexdigest())
"""


@pytest.mark.long
@needs_avx2
def test_each_library_is_bound() -> None:
    """Told by hand, one after the other, each takes over the bits of the pinned process."""
    pinned = python(BITS.format(name="avx2")).stdout.split()
    assert len(pinned) == 3
    at = {"MKL_CBWR": 0, "ONEDNN_MAX_CPU_ISA": 1, "ATEN_CPU_CAPABILITY": 2}
    assert at.keys() == variables("avx2").keys()
    for variable, value in variables("avx2").items():
        alone = python(BITS.format(name="auto"), **{variable: value}).stdout.split()
        assert alone[at[variable]] == pinned[at[variable]], variable


def test_auto_changes_nothing() -> None:
    before = dict(os.environ)
    use_instruction_set("auto")
    assert dict(os.environ) == before
    assert variables("auto") == {}
    assert instruction_set.in_force() == "auto"


@pytest.mark.parametrize("name", ["sse4", "AVX2", ""])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(UserError, match="should be one of auto, avx2, avx512, got"):
        use_instruction_set(name)


@pytest.mark.parametrize("name", PINNED)
def test_a_processor_that_does_not_have_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nenni.core.processor.features", lambda: frozenset({"sse2", "fma"}))
    monkeypatch.setattr("nenni.core.processor.name", lambda: "Some Maker's")
    with pytest.raises(UserError, match=rf"{name} is asked for, and the .*Some Maker's.*set auto"):
        use_instruction_set(name)
    use_instruction_set("auto")


@pytest.mark.usefixtures("able")
@pytest.mark.parametrize("name", PINNED)
@pytest.mark.parametrize("variable", ["ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR"])
def test_an_environment_that_asks_for_something_else(
    name: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "default")
    with pytest.raises(UserError, match=f"{variable}=default; unset it, or set auto"):
        use_instruction_set(name)


@pytest.mark.usefixtures("able")
@pytest.mark.parametrize("name", PINNED)
def test_it_comes_too_late_once_torch_is_there(name: str) -> None:
    assert torch is not None
    before = dict(os.environ)
    with pytest.raises(UserError, match="after torch was imported, which has chosen; ask before"):
        use_instruction_set(name)
    assert dict(os.environ) == before


@pytest.mark.usefixtures("able")
@pytest.mark.parametrize("name", PINNED)
def test_what_the_environment_says_in_full_is_in_force(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in variables(name).items():
        assert instruction_set.in_force() == "auto"
        monkeypatch.setenv(variable, value)
    use_instruction_set(name)
    assert instruction_set.in_force() == name
    assert instruction_set.environment() == variables(name)
    assert variables(name).keys() <= set(STEERING)
