import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nenni.adversary import attack_config
from nenni.adversary.attack_choice import AttackChoice
from nenni.adversary.attacks.fgsm import fgsm
from nenni.core.checkpoint import Checkpoint
from nenni.core.errors import UserError
from nenni.evaluation.attack_images import TRIES, attack_images
from nenni.evaluation.subject import varies
from nenni.method.fit import fit
from nenni.method.injection import inject
from nenni.method.selection.random import Random
from nenni.method.spec import InjectionSpec
from nenni.networks.compiled import what_lacks

MakeSpec = Callable[..., InjectionSpec]


@dataclass(frozen=True)
class Custom(AttackChoice):
    """An attack of the test's own, under L-inf."""

    function: Callable[..., Tensor] | None = None

    def __call__(self, *arguments: Any) -> Tensor:
        assert self.function is not None
        return self.function(*arguments)


def choice(name: str, **values: Any) -> AttackChoice:
    return AttackChoice.from_config(attack_config.validate({"name": name, **values}))


def custom(function: Callable[..., Tensor]) -> AttackChoice:
    return Custom("custom", {"norm": "linf"}, function=function)


def run_noted(model: nn.Module, digits: tuple[Tensor, Tensor], **kwargs: Any) -> Any:
    settings = {"attack": choice("fgsm"), "eps_grid": [0.05, 0.2], "seed": 0, "name": "test"}
    settings |= {"batch_size": 30, "checkpoint": Checkpoint()} | kwargs
    return attack_images(model, digits[0][800:890], digits[1][800:890], **settings)


def run(model: nn.Module, digits: tuple[Tensor, Tensor], **kwargs: Any) -> Any:
    return run_noted(model, digits, **kwargs)[0]


def test_rows_agree_with_the_model(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    table = run(trained, digits)
    x, y = digits[0][800:890], digits[1][800:890]
    assert len(table) == 180
    assert table["index"].tolist() == [*range(90)] * 2
    first = table.iloc[:90]
    assert first["clean_pred"].tolist() == trained(x).argmax(1).tolist()
    right = trained(x).argmax(1) == y
    adversarial = torch.where(
        right[:, None, None, None], fgsm(trained, x, y, 0.05, torch.Generator()), x
    )
    logits = trained(adversarial)
    assert first["adv_pred"].tolist() == logits.argmax(1).tolist()
    assert (first["adv_correct"] == (first["adv_pred"] == first["label"])).all()
    ordered = logits.sort(1, descending=True).values
    margin = (ordered[:, 0] - ordered[:, 1]) * torch.where(logits.argmax(1) == y, 1, -1)
    right = (logits.argmax(1) == y).tolist()
    found = torch.tensor(first["adv_margin"].tolist())
    torch.testing.assert_close(found[right], margin[right].detach(), rtol=1e-4, atol=1e-4)
    assert ((found > 0) == torch.tensor(right)).all()
    assert first["linf"].max() == pytest.approx(0.05, abs=1e-6)
    assert table["l2"].iloc[90:].mean() > first["l2"].mean()


def test_transfer_uses_the_source_for_gradients_only(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    constant = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    nn.init.zeros_(constant[1].weight)
    direct, moved = run(trained, digits), run(trained, digits, source=constant)
    assert moved["adv_correct"].mean() > direct["adv_correct"].mean()
    assert (moved["linf"] == 0).all()
    assert (moved["adv_pred"] == moved["clean_pred"]).all()


def test_killed_evaluation_resumes_to_the_same_rows(
    trained: nn.Module, digits: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    expected = run(trained, digits, attack=choice("pgd"))

    def kill(line: str) -> None:
        if line.startswith("batch 4/6"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(
            trained,
            digits,
            attack=choice("pgd"),
            checkpoint=Checkpoint(tmp_path / "s"),
            progress=kill,
        )
    lines: list[str] = []
    again = run(
        trained,
        digits,
        attack=choice("pgd"),
        checkpoint=Checkpoint(tmp_path / "s"),
        progress=lines.append,
    )
    assert lines[0] == "resumed after batch 4/6"
    assert again.equals(expected)


def test_batches_draw_their_own_numbers(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    """A radius that is added to the grid changes no other row."""
    both = run(trained, digits, attack=choice("pgd"))
    alone = run(trained, digits, attack=choice("pgd"), eps_grid=[0.2])
    assert both.iloc[90:].reset_index(drop=True).equals(alone)


@pytest.mark.long
@pytest.mark.parametrize(("settings", "tries"), [({}, TRIES), ({"tries": 16}, 16)])
def test_randomised_models_are_scored_on_several_draws(
    trained: nn.Module,
    make_spec: MakeSpec,
    digits: tuple[Tensor, Tensor],
    settings: dict[str, int],
    tries: int,
) -> None:
    noisy = inject(trained, make_spec(selection=Random(0.1)), digits[0][:1])
    fit(noisy, digits[0][:200], epochs=0)
    settings = settings | {"draws": 8}
    table = run(noisy, digits, eps_grid=[0.1], **settings)
    chosen = table["adv_chosen"] * 8
    assert (chosen == chosen.round()).all()
    assert table["adv_correct"].nunique() > 2
    for column in ("clean_correct", "adv_correct", "any_correct"):
        tried = table[column] * tries
        assert (tried - tried.round()).abs().max() < 1e-9
        assert tried.max() == tries
        assert tried.nunique() > 8
    assert set(table["draws"]) == {tries}
    assert table.equals(run(noisy, digits, eps_grid=[0.1], **settings))


def test_logits_that_are_not_finite_count_as_wrong(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return trained(x) * torch.where(x.flatten(1)[:, :1] == 0, torch.nan, 1.0)

    table = run(Broken().eval(), digits, attack=custom(lambda m, x, *_: x))
    assert not table["clean_correct"].any()


def test_an_attack_that_leaves_its_ball_is_caught(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    with pytest.raises(RuntimeError, match="left its ball"):
        run(trained, digits, attack=custom(lambda m, x, y, eps, g: x + 2 * eps))


def test_images_that_are_wrong_already_are_not_attacked(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    seen: list[int] = []

    def attack(model: nn.Module, x: Tensor, *_: Any) -> Tensor:
        seen.append(len(x))
        return x

    table = run(trained, digits, attack=custom(attack), eps_grid=[0.1])
    assert sum(seen) == table["clean_correct"].sum() < 90


def test_targeted_attacks_aim_at_the_most_likely_wrong_class(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    targets: list[Tensor] = []

    def attack(model: nn.Module, x: Tensor, y: Tensor, *_: Any) -> Tensor:
        targets.append(y)
        return x

    aimed = Custom("custom", {"norm": "linf", "targeted": True}, function=attack)
    run(trained, digits, attack=aimed, eps_grid=[0.1], batch_size=90)
    x, y = digits[0][800:890], digits[1][800:890]
    right = trained(x).argmax(1) == y
    assert torch.equal(targets[0], trained(x).topk(2).indices[right, 1])


def test_every_attack_is_judged_on_the_same_draws(digits: tuple[Tensor, Tensor]) -> None:
    """A network of pure chance is right on the same share of draws under any attack."""

    class Chance(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.rand(len(x), 10)

    state = torch.random.get_rng_state()
    still = custom(lambda m, x, *_: x)
    first = run(Chance().eval(), digits, attack=still, name="first", eps_grid=[0.1])
    other = run(Chance().eval(), digits, attack=still, name="other", eps_grid=[0.2])
    assert first["adv_correct"].equals(other["adv_correct"])
    assert first["any_correct"].equals(first["clean_correct"])
    assert first["adv_chosen"].equals(first["clean_chosen"])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert varies(Chance().eval(), digits[0][:5], 0.1, "linf")


def test_warnings_of_an_attack_become_notes(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    def attack(model: nn.Module, x: Tensor, *_: Any) -> Tensor:
        warnings.warn("gradients are zero", stacklevel=1)
        return x

    assert run_noted(trained, digits, attack=custom(attack))[1] == ["gradients are zero"]
    assert run_noted(trained, digits)[1] == []


def test_labels_are_enough_for_a_decision_based_attack(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    class Labels(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                return trained(x).argmax(1)

    noise = choice("random_noise", draws=20)
    table = run(Labels().eval(), digits, attack=noise, eps_grid=[0.3])
    assert table["adv_correct"].equals(
        run(trained, digits, attack=noise, eps_grid=[0.3])["adv_correct"]
    )
    assert table["adv_margin"].isna().all()
    for name in ("pgd", "ddn", "deepfool", "cw_l2", "square"):
        with pytest.raises(UserError, match="hopskipjump"):
            run(Labels().eval(), digits, attack=choice(name))


def test_dlr_for_two_classes_is_noted(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return trained(x)[:, :2]

    images, labels = digits[0][800:], digits[1][800:]
    kept = labels < 2
    two = (images[kept].repeat(9, 1, 1, 1), labels[kept].repeat(9))
    padded = (torch.cat([digits[0][:800], two[0]]), torch.cat([digits[1][:800], two[1]]))
    table, notes = run_noted(Two().eval(), padded, attack=choice("pgd", loss="dlr"))
    assert notes == ["the DLR loss is undefined for 2 classes; the margin took its place"]
    margin = run(Two().eval(), padded, attack=choice("pgd", loss="margin"))
    assert table["adv_correct"].equals(margin["adv_correct"])


def attacked(model: nn.Module, digits: tuple[Tensor, Tensor], compile_: bool) -> Any:
    attack = choice("pgd", steps=5, **({"compile": True} if compile_ else {}))
    return run_noted(model, digits, attack=attack, eps_grid=[0.1])


def test_where_nothing_compiles_an_attack_goes_on_and_a_note_says_so(
    trained: nn.Module, digits: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nenni.networks.compiled.what_lacks", lambda _: "no compiler")
    found, notes = attacked(trained, digits, compile_=True)
    expected, none = attacked(trained, digits, compile_=False)
    assert found.equals(expected)
    assert none == []
    (note,) = notes
    assert "(no compiler); the network goes on uncompiled" in note


@pytest.mark.slow
def test_a_compiled_attack_finds_the_same_within_rounding(
    trained: nn.Module, digits: tuple[Tensor, Tensor], make_spec: MakeSpec
) -> None:
    if lacks := what_lacks("cpu"):
        pytest.skip(f"nothing compiles here: {lacks}")
    noisy = inject(trained, make_spec(), digits[0][:10])
    fit(noisy, digits[0][:100])
    for model in (trained, noisy):
        found, notes = attacked(model, digits, compile_=True)
        expected, _ = attacked(model, digits, compile_=False)
        assert any("within rounding" in note for note in notes)
        assert (found["any_correct"] != expected["any_correct"]).sum() <= 2
        apart = abs(found["adv_margin"] - expected["adv_margin"]).median()
        assert apart < 1e-3 or model is noisy  # whose masks amplify the last digits
