"""Baselines in networks of all kinds, and their noise."""

from typing import Any

import pytest
import torch
from baseline_cases import answers
from torch import Tensor, nn

import nenni
from nenni.core.errors import UserError
from nenni.core.seeding import seeded
from nenni.method.baseline import baseline_layers
from nenni.method.defend import defend, set_noise
from nenni.networks.architecture import Architecture
from nenni.networks.build import build

EVERY = (
    nenni.PNI("element"), nenni.Learn2Perturb(), nenni.RandomProjectionFilters(),
    nenni.GaussianActivations(), nenni.KWTA(0.2), nenni.Quantised(8), nenni.TwoOfFour(),
    nenni.RandomDropout(0.1),
)  # fmt: skip
MODELS = ("resnet18", "preact_resnet18", "wide_resnet", "resnet_cifar", "lenet5")
SIZES: dict[str, dict[str, Any]] = {
    "resnet18": {"width": 4}, "preact_resnet18": {"width": 4},
    "wide_resnet": {"depth": 10, "widen": 1}, "resnet_cifar": {"depth": 8}, "lenet5": {},
}  # fmt: skip


def network(name: str) -> nn.Module:
    from nenni.core import settings

    with seeded(0):
        model = settings.validate("model", {"name": name, **SIZES[name]})
        return build(Architecture(model, (3, 32, 32), 10))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("baseline", EVERY, ids=lambda b: type(b).__name__)
def test_every_baseline_goes_into_every_model(name: str, baseline: Any, tmp_path: Any) -> None:
    """It runs, forwards and backwards, a file keeps it, and its layers are counted."""
    x = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0), requires_grad=True)
    found = defend(network(name), baseline, x.detach())
    found(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    nenni.save(found, tmp_path / "n.safetensors")
    again = nenni.load(tmp_path / "n.safetensors")
    assert torch.equal(answers(found, x.detach()), answers(again, x.detach()))
    layers = nenni.describe(found, x.detach())["layers"]
    assert any(layer["defence"] for layer in layers)


class Tokens(nn.Module):
    """An encoder with attention on four patches of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 4, stride=4)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).mT
        tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        logits: Tensor = self.head((tokens + self.mlp(tokens)).mean(1))
        return logits


@pytest.mark.parametrize("baseline", EVERY, ids=lambda b: type(b).__name__)
def test_attention_is_taken_apart(baseline: Any) -> None:
    with seeded(0):
        model, x = Tokens().eval(), torch.rand(3, 1, 8, 8)
    found = defend(model, baseline, x)
    assert answers(found, x).shape == (3, 3)
    names = {name for name, _ in baseline_layers(found)}
    if isinstance(baseline, nenni.PNI | nenni.Quantised | nenni.TwoOfFour):
        assert {"attention.q", "attention.k", "attention.v", "attention.out"} <= names
    if baseline.randomised:
        set_noise(found, on=False)
        if not isinstance(baseline, nenni.RandomProjectionFilters):
            assert torch.allclose(answers(found, x), answers(model, x), atol=1e-6)


def test_a_layer_under_two_names_is_one() -> None:
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.ReLU(), shared, nn.Linear(4, 2)).eval()
    found = defend(model, nenni.PNI(), torch.rand(2, 4))
    assert found[0] is found[2]  # type: ignore[index]
    assert len(list(found.parameters())) == 2 * (2 + 1)


def test_the_first_batch_calibrates() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)).eval()
    x = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    whole, first, loader = (
        defend(model, nenni.GaussianActivations(), data, batch_size=size)
        for data, size in ((x, 50), (x, 10), ([x[:10], x[10:]], 99))
    )
    (_, a), (_, b), (_, c) = (next(iter(baseline_layers(m))) for m in (whole, first, loader))
    assert float(a.deviation) == pytest.approx(float(model[0](x).detach().std(unbiased=False)))  # type: ignore[operator, arg-type]
    assert b.deviation == c.deviation != a.deviation


def test_what_cannot_be_defended_is_refused() -> None:
    class Own(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(2 * x)

    x = torch.rand(2, 4)
    with pytest.raises(UserError, match="Own has a forward pass of its own, whose weights PNI"):
        defend(nn.Sequential(Own(4, 3)), nenni.PNI(), x)
    with pytest.raises(UserError, match="lazy modules"):
        defend(nn.Sequential(nn.LazyLinear(3)), nenni.PNI(), x)
    with pytest.raises(UserError, match="no module Conv2d or Linear of Sequential ran"):
        defend(nn.Sequential(nn.Flatten()), nenni.PNI(), x)


@pytest.mark.parametrize("baseline", [None, nenni.Quantised(8)], ids=str)
def test_there_may_be_no_noise_to_switch(baseline: Any) -> None:
    model: nn.Module = nn.Sequential(nn.Linear(4, 3)).eval()
    if baseline is not None:
        model = defend(model, baseline, torch.rand(2, 4))
    with pytest.raises(UserError, match="no baseline with a noise is in the network"):
        set_noise(model, on=False)
