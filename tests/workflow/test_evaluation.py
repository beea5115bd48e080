"""The card of a network of a run: made when it is asked for, by its own job."""

from pathlib import Path

import pytest
from workflow_project import Project

from nenni.cards.card_file import read_card
from nenni.core.io import sha256
from nenni.evaluation.resume import weights_of
from nenni.method.network_file import load


@pytest.mark.slow
def test_the_card_of_a_network_of_a_run(tmp_path: Path) -> None:
    project = Project.copy(tmp_path / "project")
    folder = project.folder / "results" / "tiny" / "experiments" / "at" / "topk" / "seed0"
    asked = "results/tiny/experiments/at/topk/seed0/card.json"
    done = project.run("snakemake", "--cores", "2", asked)
    assert done.returncode == 0, done.stdout + done.stderr
    card = read_card(folder / "card.json")
    assert card.name == "topk on at, seed 0"
    assert card.network.injected
    network = load(folder / "finetuned.safetensors")
    assert card.network.sha256 == weights_of(network)
    layers = (card.network.defence or {})["layers"]
    assert {choices["selection"]["name"] for choices in layers.values()} == {"topk"}
    assert {"soft_mask", "bpda"} <= {attack.name for attack in card.attacks}
    assert card.protocol.eps == 12.75 / 255
    html = (folder / "card.html").read_text(encoding="utf-8")
    assert "topk on at, seed 0" in html
    before = sha256(folder / "card.json"), sha256(folder / "card.html")

    (folder / "card.json").unlink()
    again = project.run("snakemake", "--cores", "1", asked)
    assert again.returncode == 0, again.stdout + again.stderr
    assert (sha256(folder / "card.json"), sha256(folder / "card.html")) == before
    assert project.to_do(asked) == set()


@pytest.mark.long
def test_cards_are_made_for_every_network_and_by_no_plain_run(finished: Project) -> None:
    asked = {job for job in finished.to_do("cards") if job.startswith("card ")}
    assert asked == {
        f"card {name}/seed0" for name in ("at/none", "at/topk", "at/alloc", "at/random")
    }
    assert not {job for job in finished.to_do() if job.startswith("card ")}
