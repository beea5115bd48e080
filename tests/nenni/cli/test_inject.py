"""``nenni inject``, as a person calls it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import nenni
from nenni.cli.main import main
from nenni.method.injection import noisy_layers
from nenni.method.spec import Choices

WORDS = [
    "inject",
    "w.pt",
    "--model",
    "my_digits:build",
    "--data",
    "digits.npz",
    "--out",
    "n.safetensors",
]
SPEC = """
selection: {name: n_m, n: 1, m: 4}
projection: {name: tap_shared, ratio: 0.5}
noise: {name: zero}
exact_bits: 8
score: magnitude
layers: ["!fc1"]
overrides: {conv2: {fraction: 0.25, selection: {name: topk, fraction: 0.5}}, "*4": {weight_bits: 8}}
"""


def choices(*words: str) -> dict[str, Choices]:
    assert main([*WORDS, *words]) == 0
    network = nenni.load("n.safetensors", architecture="my_digits:build")
    return {name: layer.choices for name, layer in noisy_layers(network)}


def test_writes_a_fitted_network_that_other_commands_read(
    folder: Path, trained: nn.Module, digits: tuple[Tensor, Tensor],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    found = choices()
    out = capsys.readouterr().out
    assert "relative_error" in out
    assert "n.safetensors: 4 layers injected" in out
    assert set(found.values()) == {Choices(nenni.TopK(0.5), nenni.Sparse(0.125))}
    noisy = nenni.load("n.safetensors", trained)
    errors = nenni.report(noisy, digits[0][800:840])["relative_error"]
    assert (errors < 1).all(), "it was fitted"
    assert torch.equal(nenni.remove(noisy)(digits[0][:20]), trained(digits[0][:20]))
    before = (folder / "n.safetensors").read_bytes()
    assert main(WORDS) == 0
    assert (folder / "n.safetensors").read_bytes() == before
    words = ["evaluate", "n.safetensors", "--model", "my_digits:build", "--data", "digits.npz"]
    assert main([*words, "--suite", "suite.yaml", "--examples", "3"]) == 0
    assert "bpda" in capsys.readouterr().out


def test_does_what_inject_and_fit_do_by_themselves(
    folder: Path, trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    """In the same order; the first batch, which calibrates the roundings, is as large."""
    pixels = (digits[0][:300] * 255).round().byte()
    np.savez(folder / "digits.npz", x=pixels[:, 0].numpy(), y=digits[1][:300].numpy())
    assert main(WORDS) == 0
    images = pixels[torch.randperm(300, generator=torch.Generator().manual_seed(0))].float() / 255
    spec = nenni.InjectionSpec(nenni.TopK(0.5), nenni.Sparse(0.125))
    noisy = nenni.inject(trained, spec, images)
    nenni.fit(noisy, images)
    found = nenni.load("n.safetensors", trained).state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in noisy.state_dict().items())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--fraction", "0.3", "--ratio", "0.25"], Choices(nenni.TopK(0.3), nenni.Sparse(0.25))),
        (["--selection", "n_m:n=2,m=4"], Choices(nenni.NM(2, 4), nenni.Sparse(0.125))),
        (["--selection", "threshold"], Choices(nenni.Threshold(0.5), nenni.Sparse(0.125))),
        (["--projection", "gaussian:ratio=0.25"], Choices(nenni.TopK(0.5), nenni.Gaussian(0.25))),
        (["--bits", "8"], Choices(nenni.TopK(0.5), nenni.Sparse(0.125), 8, 8, 8)),
    ],
)
def test_choices_by_flags(words: list[str], expected: Choices, folder: Path) -> None:
    assert set(choices(*words).values()) == {expected}


def test_channels_are_ordered_first(folder: Path, trained: nn.Module) -> None:
    blocks = ["--selection", "block:fraction=0.5,channels=4", "--projection", "tap_shared"]
    choices(*blocks, "--order-channels")
    found = nenni.remove(nenni.load("n.safetensors", trained))
    old, new = trained.conv2.weight.flatten(1), found.conv2.weight.flatten(1)
    assert not torch.equal(old, new)
    x = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(found(x), trained(x), atol=1e-4)


def test_choices_by_a_file(folder: Path) -> None:
    (folder / "spec.yaml").write_text(SPEC)
    found = choices("--spec", "spec.yaml", "--bits", "6")
    shared = {"exact_bits": 8, "score": "magnitude", "noise": nenni.Zero()}
    projection = nenni.TapShared(0.5)
    assert found == {
        "conv2": Choices(nenni.TopK(0.25), projection, 6, 6, 6, **shared),
        "conv3": Choices(nenni.NM(1, 4), projection, 6, 6, 6, **shared),
        "conv4": Choices(nenni.NM(1, 4), projection, 8, 6, 6, **shared),
    }
    found = choices("--spec", "spec.yaml", "--selection", "topk", "--projection", "sparse")
    assert found["conv3"].selection == nenni.TopK(0.5)
    assert found["conv3"].projection == nenni.Sparse(0.125)


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        (["--selection", "top"], "", "inject: selection.name: unknown selection 'top'"),
        (
            ["--selection", "topk:0.5"],
            "",
            "--selection: should be NAME[:KEY=VALUE,...], got 'topk:",
        ),
        (["--selection", "topk:fraktion=1"], "", "inject: selection.fraktion: unknown key"),
        (["--selection", "n_m:n=2,m=4", "--fraction", "1"], "", "selection.fraction: unknown key"),
        (["--fraction", "2"], "", "inject: selection.fraction: "),
        (
            ["--order-channels"],
            "",
            "an order of channels is for tiles, which TopK(fraction=0.5) has not",
        ),
        (["--bits", "9"], "", "weight_bits should be one of 2, 3, 4"),
        ([], "wieght_bits: 4", "spec.yaml: wieght_bits: unknown key; known are: selection"),
        ([], "allocate: true", "spec.yaml: allocate: unknown key"),
        ([], "selection: topk", "spec.yaml: selection: should be a mapping with a name"),
        ([], "overrides: [a]", "spec.yaml: overrides: should be a mapping of patterns"),
        ([], "overrides: {fc1: 3}", "spec.yaml: overrides.fc1: should be a mapping of choices"),
        ([], "overrides: {fc1: {noise: {name: x}}}", "overrides.fc1.noise.name: unknown noise 'x'"),
        ([], "layers: conv1", "layers should be a sequence of patterns"),
        ([], "layers: [absent]", "layers: 'absent' matches none of"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], text: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "spec.yaml").write_text(text)
    assert main([*WORDS, *words, *(["--spec", "spec.yaml"] if text else [])]) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (folder / "n.safetensors").exists()
