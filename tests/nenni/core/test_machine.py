import platform

import pytest
import torch

from nenni.core import machine
from nenni.core import processor as cpu


def test_the_processor_has_a_name_and_one_line() -> None:
    assert machine.processor()
    assert "\n" not in machine.processor()


@pytest.mark.parametrize(
    ("name", "model", "told"),
    [
        ("AMD EPYC", "family 26, model 2", "AMD EPYC (family 26, model 2)"),
        ("AMD EPYC 9554", "family 25, model 17", "AMD EPYC 9554"),
        ("aarch64", "", "aarch64"),
        ("a chip", "", "a chip"),
    ],
)
def test_a_name_without_a_number_says_little(
    name: str, model: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "name", lambda: name)
    monkeypatch.setattr(cpu, "model", lambda: model)
    assert machine.processor() == told


def test_versions_are_those_of_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = machine.versions()
    assert found["Python"] == platform.python_version()
    assert torch.__version__.startswith(found["torch"])
    monkeypatch.setattr(machine, "_DECIDING", ("numpy", "no-such-package"))
    assert list(machine.versions()) == ["Python", "numpy"]


def test_a_machine_without_a_gpu_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert machine.gpu() == "none found here"
