from pathlib import Path

import pytest

from nenni.cli.main import main
from nenni.core.io import sha256


def test_checksums_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.csv", "a.csv"):
        Path(name).write_text(name)
    assert main(["stamp", "files.sha256", "b.csv", "a.csv"]) == 0
    lines = Path("files.sha256").read_text().splitlines()
    assert lines == [f"{sha256(Path(name))}  {name}" for name in ("a.csv", "b.csv")]
