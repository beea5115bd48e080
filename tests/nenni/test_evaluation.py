from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nenni.attacks.fgsm import fgsm
from nenni.attacks.pgd import pgd
from nenni.checkpoint import Checkpoint
from nenni.evaluation import evaluate
from nenni.fitting import fit
from nenni.injection import inject
from nenni.selection.random import Random
from nenni.spec import InjectionSpec

PURPOSE = (0, "attack", "test")
MakeSpec = Callable[..., InjectionSpec]


def run(model: nn.Module, digits: tuple[Tensor, Tensor], **kwargs: Any) -> Any:
    settings = {"attack": fgsm, "eps_grid": [0.05, 0.2], "purpose": PURPOSE, "batch_size": 30}
    settings |= {"checkpoint": Checkpoint()} | kwargs
    return evaluate(model, digits[0][800:890], digits[1][800:890], **settings)


def test_rows_agree_with_the_model(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    table = run(trained, digits)
    x, y = digits[0][800:890], digits[1][800:890]
    assert len(table) == 180
    assert table["index"].tolist() == [*range(90)] * 2
    first = table.iloc[:90]
    assert first["clean_pred"].tolist() == trained(x).argmax(1).tolist()
    adversarial = fgsm(trained, x, y, 0.05, torch.Generator())
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
    expected = run(trained, digits, attack=pgd)

    def kill(line: str) -> None:
        if line.startswith("batch 4/6"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(trained, digits, attack=pgd, checkpoint=Checkpoint(tmp_path / "s"), progress=kill)
    lines: list[str] = []
    again = run(
        trained, digits, attack=pgd, checkpoint=Checkpoint(tmp_path / "s"), progress=lines.append
    )
    assert lines[0] == "resumed after batch 4/6"
    assert again.equals(expected)


def test_batches_draw_their_own_numbers(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    """A radius that is added to the grid changes no other row."""
    both = run(trained, digits, attack=pgd)
    alone = run(trained, digits, attack=pgd, eps_grid=[0.2])
    assert both.iloc[90:].reset_index(drop=True).equals(alone)


def test_randomised_models_are_scored_on_several_draws(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    noisy = inject(trained, make_spec(selection=Random(0.1)), digits[0][:1])
    fit(noisy, digits[0][:200], generator=torch.Generator().manual_seed(0), epochs=0)
    table = run(noisy, digits, draws=8, eps_grid=[0.1])
    shares = table["adv_correct"] * 8
    assert (shares == shares.round()).all()
    assert shares.nunique() > 2
    assert (table["adv_worst"] == (table["adv_correct"] == 1)).all()
    assert table.equals(run(noisy, digits, draws=8, eps_grid=[0.1]))


def test_logits_that_are_not_finite_count_as_wrong(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return trained(x) * torch.where(x.flatten(1)[:, :1] == 0, torch.nan, 1.0)

    table = run(Broken(), digits, attack=lambda m, x, *_: x)
    assert not table["clean_correct"].any()


def test_an_attack_that_leaves_its_ball_is_caught(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    with pytest.raises(RuntimeError, match="left its ball"):
        run(trained, digits, attack=lambda m, x, y, eps, g: x + 2 * eps)
