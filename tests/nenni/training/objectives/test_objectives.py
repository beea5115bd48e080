"""Each method against a computation by hand, and that each learns."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.adversary.attacks.fgsm import fgsm
from nenni.core.checkpoint import Checkpoint
from nenni.data.split import Images, InMemory
from nenni.networks.models.small_cnn import small_cnn
from nenni.training.history import Trained
from nenni.training.objective import Objective
from nenni.training.objectives.adversarial import Adversarial
from nenni.training.objectives.fgsm_rs import FgsmRs
from nenni.training.objectives.standard import Standard
from nenni.training.objectives.trades import Trades, divergence
from nenni.training.recipe import Recipe
from nenni.training.schedules.one_cycle import one_cycle
from nenni.training.train import train

EPS = 0.1
METHODS = [Standard(), Adversarial(), FgsmRs(), Trades(steps=2)]


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def linear(weights: Tensor) -> nn.Module:
    """Two logits, 0 and w.x: all gradients are known."""
    layer = nn.Linear(weights.numel(), 2, bias=False)
    layer.weight.data = torch.stack([torch.zeros_like(weights), weights])
    return nn.Sequential(nn.Flatten(), layer).eval()


@pytest.fixture
def split(digits: tuple[Tensor, Tensor]) -> dict[str, Images]:
    x, y = digits
    return {"train": InMemory.of(x[:400], y[:400]), "val": InMemory.of(x[400:600], y[400:600])}


def trained_by(split: dict[str, Images], **recipe: Any) -> Trained:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = small_cnn((1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=32)
    chosen = {
        "epochs": 10,
        "batch_size": 20,
        "lr": 4e-3,
        "method": Standard(),
        "attack": fgsm,
        "eps": 0.08,
    } | recipe
    return train(
        model, split, Recipe(**chosen), (0, "test"), parameters=list(model.parameters()),
        checkpoint=Checkpoint(),
    )  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_learns_real_digits(method: Objective, split: dict[str, Images]) -> None:
    history = trained_by(split, method=method, eps_ramp=0.5).history
    assert history["val_clean"].iloc[-1] > 0.8
    robust = history["val_robust"].iloc[-1]
    assert robust < 0.5 if isinstance(method, Standard) else robust > 0.55


@pytest.mark.long
@pytest.mark.parametrize(
    "choice",
    [
        {"awp": 0.01},
        {"average": 0.95},
        {"optimiser": "sgd", "lr": 0.1, "schedule": one_cycle},
        {"precision": "bf16", "channels_last": True},
        {"accumulate": 3},
    ],
    ids=lambda choice: next(iter(choice)),
)
def test_learns_with(choice: dict[str, Any], split: dict[str, Images]) -> None:
    history = trained_by(split, method=Adversarial(), eps_ramp=0.5, **choice).history
    assert history["val_clean"].iloc[-1] > 0.7
    assert history["val_robust"].iloc[-1] > 0.4


@pytest.mark.parametrize(
    "choice",
    [
        {"awp": 0.01}, {"average": 0.5}, {"optimiser": "sgd"}, {"precision": "bf16"}, {"flip": True},
        {"shift": 1}, {"schedule": one_cycle}, {"weight_decay": 0.1}, {"eps_ramp": 0.5},
    ],
    ids=lambda choice: next(iter(choice)),
)  # fmt: skip
def test_every_choice_does_something(choice: dict[str, Any], split: dict[str, Images]) -> None:
    short = {"method": FgsmRs(), "epochs": 1, "batch_size": 100}
    plain, chosen = trained_by(split, **short), trained_by(split, **short, **choice)
    assert not torch.equal(plain.best["fc1.weight"], chosen.best["fc1.weight"])


def test_momentum_does_something(split: dict[str, Images]) -> None:
    sgd = {"method": Standard(), "epochs": 1, "batch_size": 100, "optimiser": "sgd"}
    found = [trained_by(split, **sgd, momentum=m).best["fc1.weight"] for m in (0.0, 0.9)]
    assert not torch.equal(*found)


def test_precision_and_layout_reach_the_network(split: dict[str, Images]) -> None:
    seen: list[tuple[torch.dtype, bool]] = []

    class Recording(Standard):
        def loss(self, model: nn.Module, *batch: Tensor) -> tuple[Tensor, Tensor]:
            loss, logits = super().loss(model, *batch)
            weight = model.get_submodule("conv2").weight
            assert isinstance(weight, Tensor)
            last = weight.is_contiguous(memory_format=torch.channels_last)
            seen.append((logits.dtype, last))
            return loss, logits

    short = {"method": Recording(), "epochs": 1, "batch_size": 400, "attack": None}
    trained_by(split, **short)
    trained_by(split, **short, precision="bf16", channels_last=True)
    assert seen == [(torch.float32, False), (torch.bfloat16, True)]


def test_fgsm_rs_takes_one_clipped_step() -> None:
    w = torch.tensor([1.0, -2.0, 0.0, 3.0])
    model, x, y = linear(w), torch.rand(50, 4, generator=draws()), torch.zeros(50, dtype=torch.long)
    found = FgsmRs(alpha=1.25).perturb(model, x, y, EPS, None, draws())
    start = (x + EPS * (2 * torch.rand(x.shape, generator=draws()) - 1)).clamp(0, 1)
    start = start.clamp(x - EPS, x + EPS)
    expected = (start + 1.25 * EPS * w.sign()).clamp(x - EPS, x + EPS).clamp(0, 1)
    torch.testing.assert_close(found, expected)
    assert (start[:, 2] == found[:, 2]).all()


def test_trades_adds_the_divergence() -> None:
    model = linear(torch.tensor([1.0, -2.0, 0.5]))
    x, y = torch.rand(6, 3, generator=draws()), torch.tensor([0, 1, 1, 0, 1, 0])
    attacked = (x + 0.5 * torch.rand(x.shape, generator=draws())).clamp(0, 1)
    loss, logits = Trades(beta=6.0).loss(model, x, attacked, y)
    p, q = model(x).softmax(1).detach(), model(attacked).softmax(1).detach()
    by_hand = (
        sum(float(p[i, c] * (p[i, c] / q[i, c]).log()) for i in range(6) for c in range(2)) / 6
    )
    assert float(loss.detach()) == pytest.approx(
        float(F.cross_entropy(model(x), y).detach()) + 6 * by_hand, rel=1e-5
    )
    assert torch.equal(logits, model(attacked))
    library = F.kl_div(model(attacked).log_softmax(1), p, reduction="batchmean")
    own = divergence(model(x), model(attacked)).mean()
    torch.testing.assert_close(own, library, rtol=1e-4, atol=0)


def test_trades_climbs_the_divergence() -> None:
    """Of a linear model it grows away from the image, along the sign of the weights or against it."""
    w = torch.tensor([1.0, -2.0, 3.0])
    x = torch.full((20, 3), 0.5)
    found = Trades(steps=5).perturb(linear(w), x, torch.zeros(20).long(), EPS, None, draws())
    moved = (found - x) / EPS
    torch.testing.assert_close(moved.abs(), torch.ones_like(moved))
    assert ((moved * w.sign()).std(1) < 1e-5).all()


def test_adversarial_trains_on_the_attack(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    x, y = digits[0][:20], digits[1][:20]
    found = Adversarial().perturb(trained, x, y, EPS, fgsm, draws())
    assert torch.equal(found, fgsm(trained, x, y, EPS, draws()))
    loss, logits = Adversarial().loss(trained, x, found, y)
    assert torch.equal(loss, F.cross_entropy(trained(found), y))
    assert torch.equal(logits, trained(found))


def test_average_is_the_exponential_one(split: dict[str, Images]) -> None:
    seen: list[Tensor] = []

    class Recording(Standard):
        def loss(self, model: nn.Module, *batch: Tensor) -> tuple[Tensor, Tensor]:
            seen.append(model.get_submodule("fc2").weight.detach().clone())
            return super().loss(model, *batch)

    found = trained_by(
        split, epochs=1, batch_size=200, average=0.5, method=Recording(), attack=None
    )
    last = trained_by(split, epochs=1, batch_size=200, attack=None).best["fc2.weight"]
    torch.testing.assert_close(found.best["fc2.weight"], 0.5 * seen[1] + 0.5 * last)
