"""``nenni.evaluate``: suites on any classifier, scored without luck."""

import copy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import nenni
from nenni.adversary.suite_attacks import SUITES
from nenni.adversary.suites import applicable, read_suite
from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.evaluation.evaluate import summary
from nenni.evaluation.statistics import wilson
from nenni.evaluation.subject import UNSTEADY
from nenni.method.fit import fit
from nenni.method.injection import inject
from nenni.method.selection.random import Random
from nenni.method.spec import InjectionSpec

Digits = tuple[Tensor, Tensor]
EPS = 0.05


SMALL = {"fgsm": {"name": "fgsm"}, "pgd": {"name": "pgd", "steps": 5}, "ddn": {"name": "ddn"}}


@pytest.fixture
def held_out(digits: Digits) -> Digits:
    return digits[0][800:860], digits[1][800:860]


def loader(data: Digits, size: int = 25) -> list[tuple[Tensor, Tensor]]:
    return list(zip(data[0].split(size), data[1].split(size), strict=True))


def test_least_over_the_attacks_per_image(trained: nn.Module, held_out: Digits) -> None:
    found = nenni.evaluate(trained, loader(held_out), SMALL, eps=0.1)
    table = found.summary.set_index("attack")
    assert list(table.index) == ["clean", "fgsm", "pgd", "all attacks"]
    assert len(found.examples) == 120
    flags = found.examples.pivot_table(index="index", columns="attack", values="adv_correct")
    assert table.loc["all attacks", "accuracy"] == flags.min(axis=1).mean() == found.robust_accuracy
    assert found.robust.tolist() == flags.min(axis=1).tolist()
    clean = (trained(held_out[0]).argmax(1) == held_out[1]).double().mean()
    assert table.loc["clean", "accuracy"] == pytest.approx(float(clean))
    low, high = wilson(60 * table.loc["pgd", "accuracy"], 60)
    assert (table.loc["pgd", "low"], table.loc["pgd", "high"]) == (low, high)
    in_one = nenni.evaluate(trained, held_out, {"fgsm": {"name": "fgsm"}}, eps=0.1)
    assert in_one.summary["accuracy"].iloc[1] == table.loc["fgsm", "accuracy"]


def test_norms_choose_among_the_attacks(trained: nn.Module, held_out: Digits) -> None:
    found = nenni.evaluate(trained, held_out, SMALL, eps=1.0, norm="l2", examples=20)
    assert list(found.summary["attack"]) == ["clean", "fgsm", "pgd", "ddn", "all attacks"]
    assert set(found.summary["n"]) == {20}
    assert found.examples["l2"].max() <= 1 + 1e-6
    with pytest.raises(UserError, match="no attack of the suite keeps the norm linf"):
        nenni.evaluate(trained, held_out, {"ddn": {"name": "ddn"}})


def test_injected_networks_get_the_adaptive_attacks(
    trained: nn.Module, noisy: nn.Module, held_out: Digits
) -> None:
    fit(noisy, held_out[0])
    suite = {k: SUITES["standard"][k] for k in ("fgsm", "soft_mask", "bpda", "mask_flip")}
    plain = nenni.evaluate(trained, held_out, suite, eps=0.1, examples=10)
    injected = nenni.evaluate(noisy, held_out, suite, eps=0.1, examples=10, source=trained)
    assert list(plain.summary["attack"]) == ["clean", "fgsm", "all attacks"]
    assert list(injected.summary["attack"])[1:-1] == [*suite, "transfer"]


def test_randomised_networks_get_averaged_gradients(
    trained: nn.Module, held_out: Digits, make_spec: Callable[..., InjectionSpec]
) -> None:
    noisy = inject(trained, make_spec(selection=Random(0.2)), held_out[0][:1])
    fit(noisy, held_out[0])
    found = nenni.evaluate(noisy, held_out, {"pgd": {"name": "pgd", "steps": 2}}, draws=4, eps=0.05)
    shares = 4 * found.examples["adv_chosen"]
    assert (shares == shares.round()).all()
    assert shares.nunique() > 2
    tries = found.persistence.set_index("tries")["accuracy"]
    assert tries[1] == pytest.approx(found.robust_accuracy)
    assert tries.is_monotonic_decreasing
    assert tries[100] < tries[1] - 0.05
    attacks = read_suite("full", "linf")
    expecting = applicable(attacks, injected=True, randomised=True, samples=7)
    assert expecting["fgsm"].arguments["samples"] == 7
    assert expecting["apgd_targeted"].arguments["samples"] == 7
    assert expecting["square"].arguments["queries"] == 5000
    assert attacks["soft_mask"].arguments["samples"] == 1
    assert expecting["soft_mask"].arguments["samples"] == 7
    assert expecting["autoattack"].arguments["version"] == "rand"
    labels = applicable(read_suite("labels", "linf"), injected=True, randomised=True, samples=7)
    assert labels["rays"].arguments["samples"] == 7


AVERAGED = """
from nenni.core import types
from nenni.core.types import Norm, Passes
__all__ = ["averaged"]
def averaged(
    model, inputs, labels, eps, generator,
    *, norm: Norm = "linf", directions: Passes = 3, early: Annotated[bool, types.OnRandomised(False)] = True
):
    return inputs
"""


def test_an_attack_of_ones_own_declares_what_it_takes_for_a_randomised_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "_folders", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "attack").mkdir()
    (tmp_path / "attack" / "averaged.py").write_text(AVERAGED)
    plugins.use_plugins(tmp_path)
    attacks = read_suite({"own": {"name": "averaged"}}, "l2")

    def arguments(*, randomised: bool, samples: int) -> dict[str, object]:
        found = applicable(attacks, injected=True, randomised=randomised, samples=samples)
        return found["own"].arguments

    as_given = {"norm": "l2", "directions": 3, "early": True}
    assert arguments(randomised=False, samples=7) == as_given
    assert arguments(randomised=True, samples=7) == as_given | {"directions": 7, "early": False}
    assert arguments(randomised=True, samples=2) == as_given | {"early": False}


def test_a_killed_evaluation_goes_on(trained: nn.Module, held_out: Digits, tmp_path: Path) -> None:
    expected = nenni.evaluate(trained, loader(held_out), SMALL, eps=0.1)
    file = tmp_path / "evaluation.pt"

    def kill(line: str) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt

    left = 4
    with pytest.raises(KeyboardInterrupt):
        nenni.evaluate(trained, loader(held_out), SMALL, eps=0.1, resume=file, progress=kill)
    lines: list[str] = []
    again = nenni.evaluate(
        trained, loader(held_out), SMALL, eps=0.1, resume=file, progress=lines.append
    )
    assert lines[0] == "resumed after 3 parts"
    assert [line.split(",")[0] for line in lines[1:]] == [
        "pgd",
        "batch 2/3 (0 s left)",
        "fgsm",
        "pgd",
        "batch 3/3",
    ]
    pd.testing.assert_frame_equal(again.summary, expected.summary)
    pd.testing.assert_frame_equal(again.examples, expected.examples)
    assert not file.exists()


@pytest.mark.parametrize("change", ["eps", "weights", "images"])
def test_work_of_another_kind_is_not_resumed(
    change: str, trained: nn.Module, held_out: Digits, tmp_path: Path
) -> None:
    file = tmp_path / "evaluation.pt"

    def kill(line: str) -> None:
        if line.startswith("pgd"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nenni.evaluate(trained, held_out, SMALL, eps=0.1, resume=file, progress=kill)
    images, labels = held_out
    other = nn.Sequential(trained, nn.Linear(10, 10)).eval() if change == "weights" else trained
    if change == "images":
        images = images.flip(3)
    eps = 0.2 if change == "eps" else 0.1
    found = nenni.evaluate(other, (images, labels), SMALL, eps=eps, resume=file)
    pd.testing.assert_frame_equal(
        found.summary, nenni.evaluate(other, (images, labels), SMALL, eps=eps).summary
    )


def test_attacks_on_fewer_images_have_a_row_of_their_own() -> None:
    def examples(correct: list[float]) -> pd.DataFrame:
        return pd.DataFrame(
            {"clean_correct": 1.0, "adv_correct": correct, "any_correct": correct, "eps": 8.0}
            | {"clean_chosen": 1.0, "adv_chosen": correct, "any_chosen": correct}
            | {"forwards": 1.0, "backwards": 0.0}
        )

    table = summary({"a": examples([1, 1, 0, 1]), "b": examples([0, 1])}, {"b": ["said"]}, "linf")
    rows = table[["attack", "n", "accuracy", "notes"]].to_numpy().tolist()
    assert rows == [
        ["clean", 4, 1.0, ""],
        ["a", 4, 0.75, ""],
        ["b", 2, 0.5, "said"],
        ["all attacks", 4, 0.75, ""],
        ["all attacks", 2, 0.5, ""],
    ]


def test_an_empty_loader_is_an_error(trained: nn.Module, held_out: Digits) -> None:
    for empty in ([], (held_out[0][:0], held_out[1][:0])):
        with pytest.raises(UserError, match="there are no images"):
            nenni.evaluate(trained, empty, SMALL)  # type: ignore[arg-type]


@pytest.mark.long
def test_labels_only(trained: nn.Module, held_out: Digits) -> None:
    """By labels alone, the network is broken to within 15 points of what its gradients do."""

    class Labels(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                return trained(x).argmax(1)

    few = (held_out[0][:40], held_out[1][:40])
    white = nenni.evaluate(trained, few, {"p": SUITES["standard"]["apgd_pm"]}, eps=EPS)
    black = nenni.evaluate(Labels().eval(), few, "labels", eps=EPS)
    assert white.robust_accuracy <= black.robust_accuracy <= white.robust_accuracy + 0.15


def test_a_network_that_overwrites_its_images_changes_none_of_ours(
    trained: nn.Module, held_out: Digits
) -> None:
    class Overwrites(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return trained(x.mul_(0.5).add_(0.25))  # type: ignore[no-any-return]

    class Same(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return trained(x * 0.5 + 0.25)  # type: ignore[no-any-return]

    images = held_out[0].clone()
    found = nenni.evaluate(Overwrites().eval(), (images, held_out[1]), SMALL, eps=EPS)
    assert torch.equal(images, held_out[0])
    expected = nenni.evaluate(Same().eval(), held_out, SMALL, eps=EPS)
    assert found.examples["any_correct"].equals(expected.examples["any_correct"])


@pytest.mark.long
def test_a_network_that_answers_otherwise_under_attack_is_taken_for_randomised(
    trained: nn.Module, held_out: Digits
) -> None:
    class Wary(nn.Module):
        """Gives another class while a gradient is taken, and is right when it is asked again."""

        def forward(self, x: Tensor) -> Tensor:
            z: Tensor = trained(x)
            return z.roll(1, 1) if torch.is_grad_enabled() else z

    lines: list[str] = []
    for data in (held_out, loader(held_out)):
        found = nenni.evaluate(Wary().eval(), data, SMALL, eps=0.01, progress=lines.append)
        assert lines.pop(0) == UNSTEADY
        lines.clear()
        notes = found.summary.set_index("attack")["notes"]
        assert all(UNSTEADY in notes[name] for name in ("fgsm", "pgd"))
        assert set(found.examples["draws"]) == {100}
    with pytest.raises(UserError, match="needed several times"):
        nenni.evaluate(Wary().eval(), iter(loader(held_out)), SMALL, eps=0.01)


def test_kept_parts_go_to_the_attack_that_made_them(
    trained: nn.Module, held_out: Digits, tmp_path: Path
) -> None:
    """In another order of the suite, one attack was given another's table."""

    def stop(line: str) -> None:
        if line.startswith("pgd"):
            raise KeyboardInterrupt

    kept = tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        nenni.evaluate(trained, held_out, SMALL, eps=0.1, resume=kept, progress=stop)
    turned = dict(reversed([*SMALL.items()]))
    found = nenni.evaluate(trained, held_out, turned, eps=0.1, resume=kept)
    expected = nenni.evaluate(trained, held_out, turned, eps=0.1)
    assert found.examples.equals(expected.examples)


def test_eps_may_be_any_number(trained: nn.Module, held_out: Digits) -> None:
    for eps in (np.float32(0.1), torch.tensor(0.1)):
        found = nenni.evaluate(trained, held_out, {"f": {"name": "fgsm"}}, eps=eps)  # type: ignore[arg-type]
        assert found.examples["linf"].max() == pytest.approx(0.1)
    for wrong in (None, "8/255"):
        with pytest.raises(UserError, match="eps should be a number"):
            nenni.evaluate(trained, held_out, eps=wrong)  # type: ignore[arg-type]


def test_quantised_networks_are_taken(trained: nn.Module, held_out: Digits) -> None:
    quantised = torch.ao.quantization.quantize_dynamic(copy.deepcopy(trained), {nn.Linear}).eval()
    suite = {"noise": {"name": "random_noise"}, "rays": {"name": "rays", "queries": 20}}
    found = nenni.evaluate(quantised, held_out, suite, eps=0.1)
    right = (quantised(held_out[0]).argmax(1) == held_out[1]).double().mean()
    assert found.summary["accuracy"].iloc[0] == pytest.approx(float(right))
    assert len(found.examples) == 120


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("examples", 0), ("examples", -3), ("examples", 2.5), ("examples", True),
        ("batch_size", 0), ("batch_size", 2.0), ("draws", 0), ("draws", None),
    ],
)  # fmt: skip
def test_numbers_of_images_and_draws(
    key: str, value: object, trained: nn.Module, digits: Digits
) -> None:
    with pytest.raises(
        UserError, match=f"{key} should be a whole number of 1 or more, got {value}"
    ):
        nenni.evaluate(trained, digits, "quick", **{key: value})  # type: ignore[arg-type]
