"""``nenni compare``, as a person calls it."""

from pathlib import Path

import pytest
from card_cases import MASKED, diagnosis, small_card

from nenni.cards.card_file import write_card
from nenni.cli.main import main

N = 40


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain = small_card({"pgd_20": "1" * N, "fgsm": "1" * N}, clean="1" * N, name="plain")
    half = "0" * 20 + "1" * 20
    noisy = small_card(
        {"pgd_20": half}, clean="1" * N, name="noisy", diagnosis=diagnosis(MASKED, "fail")
    )
    write_card(plain, "plain.json")
    write_card(noisy, "noisy.json")
    write_card(small_card(), "other.json")


@pytest.mark.usefixtures("cards")
def test_prints_a_table_and_writes_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "plain.json", "noisy.json"]) == 0
    out = capsys.readouterr().out
    assert "first is plain, second is noisy" in out
    (row,) = [line.split() for line in out.splitlines() if line.split()[:1] == ["pgd_20"]]
    assert row[1:5] == ["40", "100.0%", "50.0%", "-50.0"]
    assert row[7:9] == ["20", "0"]
    assert "left out: fgsm, on plain alone" in out
    assert "noisy is less robust than plain, by 50.0 points" in out
    assert f"doubt: noisy: {MASKED}" in out
    assert "noisy is less robust" in Path("comparison.html").read_text(encoding="utf-8")
    assert main(["compare", "noisy.json", "plain.json", "--out", "pages/turned.html"]) == 0
    assert Path("pages/turned.html").exists()


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("other.json", "other.json: data.n: 10 where plain.json has 40; two networks compare"),
        ("absent.json", "absent.json: cannot be read"),
        ("plain.html", "plain.html: is no JSON"),
    ],
)
def test_mistakes_are_one_line(
    second: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "plain.json", second]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"nenni: {message}")
    assert not Path("comparison.html").exists()
