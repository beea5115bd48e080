"""How a network and images are named, the same for every command."""

import argparse
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision.io import write_png

import nenni
from nenni.cli import arguments
from nenni.cli.main import COMMANDS, main
from nenni.core.errors import UserError
from nenni.networks.architecture import Architecture
from nenni.networks.build import architecture_of, build

SMALL = "{name: small_cnn, channels: [8, 8, 16, 16], hidden: 32}"


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    arguments.add_network(parser)
    arguments.add_images(parser, required=False)
    arguments.add_amount(parser)
    arguments.add_batch_size(parser, "nenni.method.fit", "fit")
    arguments.add_machine(parser)
    return parser.parse_args(words)


def read(*words: str) -> nn.Module:
    parsed = parse(*words)
    return arguments.read_network(parsed, arguments.read_images(parsed) if parsed.data else None)


@pytest.mark.parametrize(
    "words",
    [
        ["w.pt", "--model", "my_digits:build"],
        ["--weights", "w.safetensors", "--model", "my_digits:build"],
        ["w.pt", "--model", SMALL, "--data", "digits.npz"],
    ],
)
def test_weights_of_a_named_architecture(
    words: list[str], folder: Path, trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    network = read(*words)
    assert torch.equal(network(digits[0][:50]), trained(digits[0][:50]))
    assert not network.training
    assert (architecture_of(network).input_shape is None) == ("--data" not in words)


@pytest.mark.parametrize(
    "words",
    [
        ["own.safetensors", "--model", "my_digits:build"],
        ["unnamed.safetensors", "--model", "my_digits:build"],
        ["unnamed.safetensors", "--model", SMALL, "--classes", "10"],
    ],
)
def test_files_of_nenni_save(words: list[str], folder: Path, noisy: nn.Module) -> None:
    x = torch.rand(9, 1, 28, 28)
    assert torch.equal(read(*words)(x), noisy(x))


def test_a_file_of_a_known_architecture_needs_nothing_else(folder: Path) -> None:
    model = {"name": "small_cnn", "hidden": 16}
    made = build(Architecture.read(Architecture(model, (1, 8, 8), 3), "test"))
    nenni.save(made, "known.safetensors")
    assert torch.equal(
        read("known.safetensors")(torch.ones(1, 1, 8, 8)), made(torch.ones(1, 1, 8, 8))
    )


def test_a_function_alone_has_the_weights_of_the_seed(folder: Path) -> None:
    x, state = torch.ones(1, 1, 28, 28), torch.random.get_rng_state()
    first, again = (read("--model", "my_digits:build", "--seed", "3")(x) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, read("--model", "my_digits:build", "--seed", "4")(x))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give the FILE of a network; --model says which architecture it is"),
        (["w.pt"], "w.pt: holds tensors alone; --model says which architecture it is"),
        (["w.pt", "--weights", "w.pt"], "FILE and --weights name the same"),
        (["unnamed.safetensors"], r"unnamed.safetensors: does not say its architecture: .*--model"),
        (["own.safetensors"], r"is run only if you name it: .* \(--model my_digits:build\)"),
        (["w.pt", "--model", "{name: small_cnn, hiden: 3}"], "--model: model.hiden: unknown key"),
        (["w.pt", "--model", "{name"], "--model: .* is not valid YAML"),
        (["w.pt", "--model", "small_cnn"], "the model small_cnn needs its input_shape"),
        (
            ["w.pt", "--model", "small_cnn", "--data", "digits.npz"],
            "w.pt: does not fit: conv1.bias",
        ),
        (["torchvision:DEFAULT", "--model", "my_digits:build"], "are for the model torchvision"),
    ],
)
def test_what_is_missing_is_said(words: list[str], message: str, folder: Path) -> None:
    with pytest.raises(UserError, match=message):
        read(*words)


@pytest.mark.parametrize("command", ["evaluate", "diagnose"])
def test_a_folder_that_lacks_a_class_is_refused(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Labels of the classes after it would be one too low."""
    for name in ("cat", "owl"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        write_png(
            torch.zeros(3, 6, 6, dtype=torch.uint8), str(tmp_path / "photos" / name / "1.png")
        )
    monkeypatch.chdir(tmp_path)
    words = [command, "--data", "photos", "--model", "{name: small_cnn}", "--classes"]
    assert main([*words, "3"]) == 2
    told = "nenni: photos: has 2 subfolders and the network 3 classes"
    assert capsys.readouterr().err.splitlines()[-1].startswith(told)


def test_an_npz_file_may_lack_a_class(folder: Path) -> None:
    parsed = parse("w.pt", "--data", "digits.npz", "--model", "my_digits:build")
    images = arguments.read_images(parsed)
    images.n_classes = 3
    arguments.check_classes(arguments.read_network(parsed, images), images)


def test_some_images_of_a_folder_are_of_all_classes(tmp_path: Path) -> None:
    for i in range(12):
        file = tmp_path / ("cat", "dog", "owl")[i // 4] / f"{i:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_png(torch.full((3, 6, 6), i, dtype=torch.uint8), str(file))
    whole = arguments.read_images(parse("--data", str(tmp_path), "--batch-size", "5"))
    assert (whole.n_classes, whole.shape, len(whole)) == (3, (3, 6, 6), 3)
    assert torch.cat([y for _, y in whole]).tolist() == [0] * 4 + [1] * 4 + [2] * 4
    for n in (3, 6, 11):
        some = arguments.read_images(parse("--data", str(tmp_path), "--examples", str(n)))
        ((images, labels),) = some
        assert torch.bincount(labels).tolist() in ([n // 3] * 3, [4, 4, 3], [3, 4, 4], [4, 3, 4])
        assert (images[:, 0, 0, 0] * 255).round().int().tolist() == sorted(
            set(images[:, 0, 0, 0].mul(255).round().int().tolist())
        )
    orders = [
        torch.cat(
            [
                x
                for x, _ in arguments.read_images(
                    parse("--data", str(tmp_path), "--seed", seed), shuffled=True
                )
            ]
        )
        for seed in ("0", "0", "1")
    ]
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])


def test_the_first_images_of_an_npz_file(folder: Path, digits: tuple[Tensor, Tensor]) -> None:
    ((images, labels),) = arguments.read_images(parse("--data", "digits.npz", "--examples", "7"))
    assert torch.equal(images, digits[0][800:807])
    assert torch.equal(labels, digits[1][800:807])


@pytest.mark.parametrize("wrong", ["many", "1/0", "-1"])
def test_numbers_are_numbers(wrong: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="should be"):
        arguments.number(wrong)
    with pytest.raises(argparse.ArgumentTypeError, match="should be a whole number from 1 to"):
        arguments.count(wrong)
    assert (arguments.number("8/255"), arguments.count("12")) == (8 / 255, 12)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda module: module.__name__)
def test_every_help_teaches_by_example(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    name = command.__name__.rpartition(".")[2]  # type: ignore[attr-defined]
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    assert f"nenni {name}" in capsys.readouterr().out


def test_a_file_may_come_after_the_options(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--model", "my_digits:build", "--data", "digits.npz", "--examples", "3"]
    for words in (["w.pt", *options], [*options, "w.pt"], [*options[:2], "w.pt", *options[2:]]):
        assert main(["describe", *words]) == 0
        assert '"model": "function"' in capsys.readouterr().out
    for wrong in (["w.pt", *options, "w.pt"], [*options, "w.pt", "--absent"]):
        with pytest.raises(SystemExit):
            main(["describe", *wrong])
        assert "unrecognized arguments" in capsys.readouterr().err
