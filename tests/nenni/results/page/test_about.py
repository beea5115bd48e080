from typing import Any

import pytest
from page_cases import about_default, asked

from nenni.core import machine
from nenni.results.page.about import about, summary


def told(changes: dict[str, Any]) -> str:
    """What is said of a defence of the default run with some keys changed."""
    given = asked()
    given["defences"] = {"it": given["defences"]["topk_50"] | changes}
    return str(about(given).defences["what it is"].item())


def test_every_defence_and_base_is_in_words() -> None:
    found = about_default()
    defences = dict(found.defences.itertuples(index=False))
    assert defences["none"] == "The base as it is."
    assert defences["none_ft"] == "The base as it is. Trained on for 2 epochs (everything)."
    assert defences["topk_50"].startswith("Top-k per sample: the largest neurons of a layer are")
    for word in ("topk (fraction 0.5)", "4/4/4 bits", "sparse (ratio 0.125)", "2 epochs"):
        assert word in defences["topk_50"]
    assert "its fraction is a budget" in defences["alloc_50"]
    assert "budget" not in defences["topk_50"]
    assert len(set(defences.values())) == len(defences)
    bases = dict(found.bases.itertuples(index=False))
    assert bases["pgd_at"].startswith("small_cnn (")
    assert bases["pgd_at"].endswith(
        "on mnist5k (3500 train, 500 val, 1000 test), trained for 12 epochs, adversarial under pgd"
    )
    assert bases["standard"].endswith("trained for 8 epochs, standard")


def test_an_order_of_channels_and_a_recipe_of_the_finetuning_are_told() -> None:
    finetune = asked()["defences"]["topk_50"]["finetune"] | {"recipe": "fgsm_rs"}
    found = told({"order_channels": True, "finetune": finetune})
    assert "Selection topk (fraction 0.5); channels in an order for its tiles." in found
    assert found.endswith("Trained on for 2 epochs (everything), by the recipe fgsm_rs.")


def test_a_defence_that_is_not_trained_on_says_so() -> None:
    assert told({"finetune": None}).endswith("Not trained on.")


@pytest.mark.parametrize(
    ("base", "end"),
    [
        ({"recipe": None}, "with the weights that it was given"),
        ({"keep": "best"}, "the best epoch"),
    ],
)
def test_a_base_says_where_its_weights_are_from(base: dict[str, Any], end: str) -> None:
    given = asked()
    given["bases"] = {"pgd_at": given["bases"]["pgd_at"] | base}
    assert about(given).bases["what it is"].item().endswith(end)


def test_the_machine_and_what_decides_the_numbers_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    facts = dict(about_default().facts)
    assert facts["Seeds"] == "0, 1"
    assert facts["Threads of each job"] == "1"
    assert facts["Processor"] == machine.processor()
    assert {"Python", "torch", "numpy", "System"} <= set(facts)
    assert "GPU" not in facts
    monkeypatch.setattr(machine, "gpu", lambda: "a GPU")
    assert dict(about(asked() | {"device": "cuda"}).facts)["GPU"] == "a GPU"


def test_plugins_say_what_they_are_in_a_line() -> None:
    assert summary("figure", "noise_intensity").startswith("Clean and robust accuracy")
    assert "\n" not in summary("figure", "latency_per_layer")
