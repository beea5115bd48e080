from pathlib import Path

import pytest

from nenni.cli.main import main
from nenni.run import manifests


def test_verify_finds_a_file_cut_short(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table, other = Path("results/r/tables/main.csv"), Path("results/r/tables/other.csv")
    table.parent.mkdir(parents=True)
    for file in (table, other):
        file.write_text("a,b\n1,2\n")
        manifests.write(Path(f"results/r/manifests/tables/{file.stem}.sha256"), [file])
    assert main(["verify", "results/r"]) == 0
    assert "2 files: all as they were written" in capsys.readouterr().out
    table.write_text("a,b\n1")
    for folder in (".", "/", "results/r/tables"):
        monkeypatch.chdir(tmp_path / folder)
        assert main(["verify", str(tmp_path / "results/r")]) == 1
        assert main(["verify", str(tmp_path / table)]) == 1
        told = capsys.readouterr().out.splitlines()
        assert [f"{table}: is not what was written; `snakemake --force" in line for line in told] == [
            True, True
        ]  # fmt: skip
        assert main(["verify", str(tmp_path / other)]) == 0
        capsys.readouterr()
    assert main(["verify", str(tmp_path / "results")]) == 2
    assert main(["verify", str(tmp_path / "results" / "none")]) == 2
