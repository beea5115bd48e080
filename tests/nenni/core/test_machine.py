import platform
from pathlib import Path

import pytest
import torch

from nenni.core import machine


def test_the_processor_has_a_name_and_one_line() -> None:
    assert machine.processor()
    assert "\n" not in machine.processor()


def test_a_system_without_cpuinfo_is_asked_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    monkeypatch.setattr(platform, "processor", lambda: "a chip")
    assert machine.processor() == "a chip"
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert machine.processor() == platform.machine()


def test_versions_are_those_of_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = machine.versions()
    assert found["Python"] == platform.python_version()
    assert torch.__version__.startswith(found["torch"])
    monkeypatch.setattr(machine, "_DECIDING", ("numpy", "no-such-package"))
    assert list(machine.versions()) == ["Python", "numpy"]


def test_a_machine_without_a_gpu_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert machine.gpu() == "none found here"
