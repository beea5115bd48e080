"""``nenni card``, as a person calls it."""

from pathlib import Path

import pytest
from torch import Tensor, nn

from nenni.cards.card_file import read_card
from nenni.cli.main import main
from nenni.evaluation.resume import weights_of

Digits = tuple[Tensor, Tensor]
WORDS = ["--model", "my_digits:build", "--weights", "w.safetensors", "--data", "digits.npz"]


def call(*words: str) -> int:
    fixed = ["card", "--suite", "suite.yaml", "--eps", "12.75/255", "--examples", "21"]
    return main([*fixed, "--diagnosed", "2", *words])


@pytest.mark.long
def test_writes_a_card_and_its_page_and_prints_the_answers(
    folder: Path, trained: nn.Module, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*WORDS, "--out", "cards/plain.json") == 0
    out, err = capsys.readouterr()
    card = read_card(folder / "cards" / "plain.json")
    assert card.name == "w"
    assert card.data.name == "digits.npz"
    assert (card.data.n, card.protocol.eps, card.protocol.diagnosed) == (21, 12.75 / 255, 2)
    assert card.network.sha256 == weights_of(trained)
    assert [attack.name for attack in card.attacks] == ["pgd"]
    told = {line.split("  ")[0]: line for line in out.replace("\u00a0", " ").splitlines()}
    assert f"{100 * card.least.accuracy:.1f} %" in told["all attacks"]
    assert "undecided, too few images" in told["believed"]
    assert "against dense FP32: the same" in told["cost"]
    assert "left) pgd, image 21" in err
    assert (folder / "cards" / "plain.html").stat().st_size < 3_000_000
    assert not list(folder.glob(".nenni/checkpoints/*"))

    before = (folder / "cards" / "plain.json").read_bytes()
    assert call(*WORDS, "--out", "again.json") == 0
    assert (folder / "again.json").read_bytes() == before


@pytest.mark.long
def test_a_file_of_an_injected_network_says_what_it_is(folder: Path) -> None:
    assert call("own.safetensors", "--model", "my_digits:build", "--data", "digits.npz",
                "--name", "half exact", "--out", "noisy.json") == 0  # fmt: skip
    card = read_card(folder / "noisy.json")
    assert card.name == "half exact"
    assert card.network.injected
    assert [attack.name for attack in card.attacks] == ["pgd", "bpda"]
    assert (card.network.model or {})["function"] == "my_digits:build"
    (choices, *_) = (card.network.defence or {})["layers"].values()
    assert choices["projection"]["name"] == "sparse"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "card.html"], "card.html: the name of a card should end in .json"),
        (["--out", "my_digits.py/card.json"], "my_digits.py/card.json: cannot be written"),
        (["--weights", "absent.safetensors"], "absent.safetensors: is missing"),
        (["--data", "absent"], "absent: is neither a folder of images nor an npz file"),
        (["--suite", "strong"], "unknown suite 'strong'; known are: quick, card, standard, full"),
        (["--eps", "8"], "got 8: write 8/255"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*WORDS, *words) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("nenni: ")
    assert message in line
