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


def test_check_looks_at_layers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "config" / "config.yaml").read_text()
    (tmp_path / "c.yaml").write_text(text.replace("injection:\n", "injection:\n  layers: [x]\n", 1))
    assert main(["check", str(tmp_path / "c.yaml")]) == 2
    assert "c.yaml: injection.layers.0: 'x' matches no layer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("def built(): pass", False),
        ("", False),
        ("def build(): pass", True),
        ("from elsewhere import build", True),
        ("from elsewhere import *", True),
        ("globals()['bu' + 'ild'] = print", True),
    ],
)
def test_check_looks_for_functions(
    content: str, found: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[3] / "config" / "config.yaml").read_text()
    model = "{name: small_cnn, channels: [16, 16, 16, 32], hidden: 128}"
    Path("c.yaml").write_text(text.replace(model, "{name: 'mine_of_check:build'}", 1))
    Path("mine_of_check.py").write_text(content)
    assert main(["check", "c.yaml"]) == (0 if found else 2)
    told = "c.yaml: models.small_cnn.name: there is no function of mine_of_check:build"
    assert (told in capsys.readouterr().err) is not found
