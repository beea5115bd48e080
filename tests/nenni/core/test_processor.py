"""What the system says of a processor, on three of them and where it says nothing."""

import subprocess
from pathlib import Path

import pytest

from nenni.core import processor

AMD = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC 9554 64-Core Processor
stepping\t: 1
flags\t\t: fpu sse2 avx2 fma

processor\t: 1
model name\t: another
"""
ARM = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    return tmp_path / "cpuinfo"


def test_of_x86_the_first_core_is_told(cpuinfo: Path) -> None:
    cpuinfo.write_text(AMD, encoding="utf-8")
    assert processor.name() == "AMD EPYC 9554 64-Core Processor"
    assert processor.model() == "family 25, model 17, stepping 1"
    assert processor.features() == {"fpu", "sse2", "avx2", "fma"}


@pytest.mark.parametrize("content", [ARM, None])
def test_elsewhere_the_kind_alone(cpuinfo: Path, content: str | None) -> None:
    if content is not None:
        cpuinfo.write_text(content, encoding="utf-8")
    assert (processor.name(), processor.model()) == ("aarch64", "")
    assert processor.features() == frozenset()


@pytest.mark.parametrize(("printed", "name"), [("Apple M2\n", "Apple M2"), ("", "arm64")])
def test_macos_is_asked(printed: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    done = subprocess.CompletedProcess[str]([], 0, stdout=printed)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: done)
    assert processor.name() == name


def test_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_CACHES", tmp_path)
    assert processor.caches() == ""
    told = [("1", "Data", "32K"), ("1", "Instruction", "32K"), ("2", "Unified", "1024K")]
    for i, values in enumerate(told):
        folder = tmp_path / f"index{i}"
        folder.mkdir()
        for key, value in zip(("level", "type", "size"), values, strict=True):
            (folder / key).write_text(f"{value}\n", encoding="utf-8")
    assert processor.caches() == "L1d 32K, L2 1024K"
