"""Networks whose weights are computed from others are copied, injected and judged as any other."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

import nenni
from nenni.evaluation.subject import examine
from nenni.networks.copying import copied


def pruned(layer: nn.Module) -> nn.Module:
    return prune.l1_unstructured(layer, "weight", 0.3)  # type: ignore[no-any-return]


def twice_pruned(layer: nn.Module) -> nn.Module:
    return prune.random_structured(pruned(layer), "weight", 0.2, dim=0)  # type: ignore[no-any-return]


KINDS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "weight_norm before 2.0": weight_norm,
    "spectral_norm before 2.0": spectral_norm,
    "pruned": pruned,
    "pruned twice": twice_pruned,
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
}
X = torch.rand(24, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def network(kind: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        around = KINDS[kind]
        model = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), around(nn.Conv2d(16, 16, 3, padding=1)),
            nn.ReLU(), nn.Flatten(), around(nn.Linear(1024, 64)), nn.ReLU(), nn.Linear(64, 4),
        )  # fmt: skip
        model(X)
    return model.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_answers_alike_and_learns_by_itself(kind: str) -> None:
    model = network(kind)
    before, again = model(X), copied(model)
    assert torch.equal(again(X), before)
    with torch.no_grad():
        for p in again.parameters():
            p.mul_(1.5)
    assert not torch.allclose(again(X), before)
    assert torch.equal(model(X), before)
    again(X).sum().backward()
    assert all(p.grad is not None for p in again.parameters())
    assert examine(model, X, eps=0.03, norm="linf").copied


@pytest.mark.parametrize("layers", [(), ("type:Conv2d",)])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_injected_saved_and_removed(
    kind: str, layers: tuple[str, ...], tmp_path: Path
) -> None:
    model = network(kind)
    spec = nenni.InjectionSpec(
        nenni.TopK(0.5), nenni.Sparse(0.25), layers=layers, normalise=False, min_inputs=32
    )  # fmt: skip
    noisy = nenni.inject(model, spec, X[:1])
    nenni.fit(noisy, X)
    assert list(nenni.report(noisy, X)["layer"]) == (["2"] if layers else ["2", "5"])
    nenni.save(noisy, tmp_path / "n.safetensors")
    assert torch.equal(nenni.load(tmp_path / "n.safetensors", model, X[:1])(X), noisy(X))
    assert torch.allclose(nenni.remove(noisy)(X), model(X), atol=1e-6)
    assert nenni.describe(model, X[:1])
