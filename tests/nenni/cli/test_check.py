from pathlib import Path

import pytest

from nenni.cli.main import main


def test_check(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    default = Path(__file__).parents[3] / "config" / "config.yaml"
    assert main(["check", str(default)]) == 0
    assert "run 'mnist5k' is well-formed" in capsys.readouterr().out
    (tmp_path / "empty.yaml").touch()
    assert main(["check", str(tmp_path / "empty.yaml")]) == 2


def test_check_misses_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "config" / "config.yaml").read_text()
    (tmp_path / "c.yaml").write_text(
        text.replace("{name: mnist5k}", "{name: npz, train: no.npz, test: no.npz}")
    )
    assert main(["check", str(tmp_path / "c.yaml")]) == 2
    assert "c.yaml: data.mnist5k.data: there is no file no.npz; a rel" in capsys.readouterr().err
