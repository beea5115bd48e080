"""``nenni evaluate``, as a person calls it."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torchvision.io import write_png

from nenni.cli.main import main

Digits = tuple[Tensor, Tensor]


def call(*words: str) -> int:
    fixed = ["evaluate", "--suite", "suite.yaml", "--eps", "12.75/255", "--batch-size", "25"]
    return main([*fixed, *words])


@pytest.mark.parametrize("weights", ["w.safetensors", "w.pt"])
def test_prints_and_writes_what_it_finds(
    weights: str, folder: Path, trained: nn.Module, digits: Digits,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    words = ["--model", "my_digits:build", "--weights", weights, "--data", "digits.npz"]
    assert call(*words, "--out", "found") == 0
    out, err = capsys.readouterr()
    assert "all attacks" in out
    assert "pgd, image 25: eps 12.75/255" in err
    assert "batch 1/2 (0 s left)" in err
    table = pd.read_csv(folder / "found" / "summary.csv").set_index("attack")
    right = (trained(digits[0][800:840]).argmax(1) == digits[1][800:840]).double().mean()
    assert table.loc["clean", "accuracy"] == pytest.approx(float(right))
    assert list(table.index) == ["clean", "pgd", "all attacks"]
    assert len(pd.read_csv(folder / "found" / "examples.csv")) == 40
    assert not list(folder.glob(".nenni/checkpoints/*"))


def test_reads_networks_of_nenni_save(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--model", "my_digits:build", "--data", "digits.npz", "--examples", "10"]
    printed = set()
    for file in (["unnamed.safetensors"], ["own.safetensors"], ["--weights", "own.safetensors"]):
        assert call(*words, *file) == 0
        printed.add(capsys.readouterr().out)
    (out,) = printed
    assert "bpda" in out


@pytest.mark.long
def test_the_least_alone_is_cheaper_and_the_same(folder: Path) -> None:
    words = ["--model", "my_digits:build", "--weights", "w.safetensors", "--data", "digits.npz"]
    words += ["--examples", "16"]
    tables = []
    for further in ([], ["--least"]):
        assert call(*words, "--suite", "standard", "--out", "found", *further) == 0
        tables.append(pd.read_csv(folder / "found" / "summary.csv").set_index("attack"))
    whole, least = tables
    assert least.loc["all attacks", "accuracy"] == whole.loc["all attacks", "accuracy"]
    assert least.loc["all attacks", "forwards"] < whole.loc["all attacks", "forwards"]


def test_reads_a_folder_of_images(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "rgb.py").write_text(
        "from torch import nn\n"
        "def build():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))\n"
    )
    for i in range(6):
        file = folder / "photos" / ("cat", "dog")[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_png(torch.randint(256, (3, 9 + i, 12), dtype=torch.uint8), str(file))
    words = ["--model", "rgb:build", "--data", "photos"]
    assert call(*words, "--size", "8") == 0
    assert "6" in capsys.readouterr().out
    assert call(*words) == 2
    assert "--size N makes them equal" in capsys.readouterr().err


def test_diagnoses(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--model", "my_digits:build", "--weights", "w.safetensors", "--data", "digits.npz"]
    assert call(*words, "--examples", "5", "--diagnose", "--out", "found") == 0
    assert "(n = 5)" in capsys.readouterr().out
    assert "black box" in (folder / "found" / "diagnostics.csv").read_text()
    assert len(pd.read_csv(folder / "found" / "diagnostic_curves.csv")) > 20


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--model", "my_digits"],
            "--model: unknown model 'my_digits'; known are: lenet5, preact_resnet18, resnet18, ",
        ),
        (["--model", ":build"], "a model of one's own should be MODULE:FUNCTION, got ':build'"),
        (["--model", "absent:build"], "model absent:build: No module named 'absent'"),
        (["--model", "my_digits:absent"], "my_digits has no function absent"),
        (["--model", "my_digits:number"], "returns a int, not a torch module"),
        (["--weights", "absent.safetensors"], "absent.safetensors: is missing"),
        (["--weights", "my_digits.py"], "my_digits.py: holds no tensors"),
        (["--data", "absent"], "absent: is neither a folder of images nor an npz file"),
        (["--data", "w.pt"], "w.pt: should be an npz file with x"),
        (["--data", "."], ".: holds no images in subfolders"),
        (
            ["--suite", "strong"],
            "unknown suite 'strong'; known are: quick, card, standard, full, labels",
        ),
        (["--suite", "absent.yaml"], "absent.yaml: cannot be read"),
        (
            ["--eps", "8"],
            "eps is in units of the [0, 1] input, for linf from 0 to 1; got 8: write 8/255",
        ),
        (["--device", "cuda"], "device: cuda is asked for"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    good = ["--model", "my_digits:build", "--weights", "w.safetensors", "--data", "digits.npz"]
    assert call(*good, *words) == 2
    *before, line = capsys.readouterr().err.splitlines()
    assert len(before) < 2
    assert all(" images of " in told for told in before)
    assert message in line
