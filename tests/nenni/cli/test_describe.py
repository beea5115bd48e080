"""``nenni describe``, as a person calls it."""

import json
from pathlib import Path

import pytest
from torch import Tensor, nn

import hwmodel
import nenni
from nenni.cli.main import main

OWN = ["own.safetensors", "--model", "my_digits:build", "--data", "digits.npz"]


def test_writes_what_the_library_finds(
    folder: Path,
    noisy: nn.Module,
    digits: tuple[Tensor, Tensor],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["describe", *OWN, "--out", "layers.json"]) == 0
    assert capsys.readouterr().out == "layers.json: 6 layers, 4 injected\n"
    found = json.loads((folder / "layers.json").read_text())
    assert found == json.loads(
        json.dumps(nenni.describe(noisy, digits[0][800:840], name="function"))
    )
    assert hwmodel.load("layers.json").layers
    assert main(["describe", *OWN]) == 0
    assert json.loads(capsys.readouterr().out) == found


def test_images_that_do_not_fit_are_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "wide.py").write_text(
        "from torch import nn\ndef build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(9, 2))\n"
    )
    assert main(["describe", "--model", "wide:build", "--data", "digits.npz"]) == 2
    assert (
        "does not accept images, torch.float32 of shape (1, 1, 28, 28)" in capsys.readouterr().err
    )
