"""``nenni defend``, as a person calls it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import nenni
from nenni.cli.main import main
from nenni.core import plugins
from nenni.method.baseline import Baseline, baseline_layers
from nenni.method.injection import is_randomised

WORDS = [
    "defend",
    "w.pt",
    "--model",
    "my_digits:build",
    "--data",
    "digits.npz",
    "--out",
    "d.safetensors",
]


def made(*words: str) -> tuple[Baseline, list[str]]:
    assert main([*WORDS, *words]) == 0
    network = nenni.load("d.safetensors", architecture="my_digits:build")
    found = dict(baseline_layers(network))
    (baseline,) = {layer.baseline for layer in found.values()}
    return baseline, [*found]


@pytest.mark.parametrize("name", plugins.names("baseline"))
def test_each_by_its_name(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline, layers = made("--baseline", name)
    assert plugins.name_of("baseline", type(baseline)) == name
    assert baseline == type(baseline)()
    out = capsys.readouterr().out
    assert out.splitlines()[: len(layers)] == layers
    assert f"in {len(layers)} layers" in out


def test_options_and_layers_are_those_that_were_given(folder: Path) -> None:
    asked = ("--baseline", "pni:granularity=channel,alpha=0.1")
    assert made(*asked, "--layers", "type:Conv2d", "!conv1") == (
        nenni.PNI("channel", alpha=0.1, layers=("type:Conv2d", "!conv1")),
        ["conv2", "conv3", "conv4"],
    )  # fmt: skip


def test_does_what_defend_does(
    folder: Path, trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    assert main([*WORDS, "--baseline", "quantised:bits=4"]) == 0
    first = (folder / "d.safetensors").read_bytes()
    assert main([*WORDS, "--baseline", "quantised:bits=4"]) == 0
    assert (folder / "d.safetensors").read_bytes() == first
    network = nenni.load("d.safetensors", architecture="my_digits:build")
    assert all(layer.input_scale > 0 for _, layer in baseline_layers(network))
    plain = nenni.remove(network)
    assert torch.equal(plain(digits[0][:9]), trained(digits[0][:9]))


def test_without_its_noise(folder: Path) -> None:
    assert main([*WORDS, "--baseline", "pni", "--without-noise"]) == 0
    assert not is_randomised(nenni.load("d.safetensors", architecture="my_digits:build"))


def test_other_commands_read_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, "--baseline", "k_wta:gamma=0.2"]) == 0
    words = ["--model", "my_digits:build", "--data", "digits.npz"]
    assert main(["describe", "d.safetensors", *words, "--out", "layers.json"]) == 0
    assert '"ranked"' in (folder / "layers.json").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--baseline", "pnl"], "--baseline: name: unknown baseline 'pnl'; known are: dropout"),
        (["--baseline", "pni:alpah=1"], "--baseline: alpah: unknown key; did you mean 'alpha'"),
        (["--baseline", "pni:alpha"], "--baseline: should be NAME"),
        (["--baseline", "pni:alpha=-1"], "--baseline: alpha: should be greater than or equal to 0"),
        (["--baseline", "pni", "--layers", "conv7"], "layers: 'conv7' matches none of: conv1"),
        (["--baseline", "k_wta", "--without-noise"], "no baseline with a noise"),
    ],
)
def test_mistakes_are_told(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, *words]) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "d.safetensors").exists()
