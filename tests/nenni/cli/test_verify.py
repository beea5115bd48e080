from pathlib import Path

import pytest

from nenni.cli.main import main
from nenni.core.io import write_manifest


def test_verify_finds_a_file_cut_short(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = Path("results/r/tables/main.csv")
    table.parent.mkdir(parents=True)
    table.write_text("a,b\n1,2\n")
    write_manifest(Path("results/r/manifests/tables/main.sha256"), [table])
    assert main(["verify", "results/r"]) == 0
    table.write_text("a,b\n1")
    assert main(["verify", "results/r"]) == 1
    assert f"{table}: is not what was written; delete it" in capsys.readouterr().out
    assert main(["verify", "results"]) == 2
