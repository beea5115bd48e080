from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from nenni.defences.baselines.learn2perturb import Learn2Perturb
from nenni.defences.baselines.pni import PNI
from nenni.method.defend import defend
from nenni.method.fit import fit
from nenni.method.injection import inject
from nenni.method.projection.sparse import Sparse
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.training.awp import perturbation, perturbed_weights


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_awp_moves_each_weight_by_its_own_length(trained: nn.Module) -> None:
    x, y = torch.rand(8, 1, 28, 28, generator=draws()), torch.arange(8)
    before = {name: p.detach().clone() for name, p in trained.named_parameters()}

    def loss() -> tuple[Tensor, Tensor]:
        logits = trained(x)
        return F.cross_entropy(logits, y), logits

    calm, _ = loss()
    gradients = dict(
        zip(before, torch.autograd.grad(calm, list(trained.parameters())), strict=True)
    )
    with perturbed_weights(trained, loss, 0.05):
        for name, p in trained.named_parameters():
            v = p.detach() - before[name]
            if p.dim() < 2:
                assert not v.any()
                continue
            assert float(v.norm()) == pytest.approx(0.05 * float(before[name].norm()), rel=1e-3)
            cosine = F.cosine_similarity(v.flatten(), gradients[name].flatten(), 0)
            assert float(cosine) == pytest.approx(1, abs=1e-3)
        assert loss()[0] > calm
    for name, p in trained.named_parameters():
        assert torch.equal(p.detach(), before[name]), "to the last bit"


def test_awp_leaves_batch_statistics() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.LazyLinear(3))
    x = torch.rand(4, 1, 5, 5)
    model(x)
    statistics = [b.clone() for b in model.buffers()]
    with perturbed_weights(
        model, lambda: (F.cross_entropy(model(x), torch.zeros(4).long()), x), 0.1
    ):
        assert all(torch.equal(a, b) for a, b in zip(statistics, model.buffers(), strict=True))


def test_a_weight_without_gradient_stays() -> None:
    assert not perturbation(torch.ones(2, 2), torch.zeros(2, 2), 0.5).any()


def moved(model: nn.Module, x: Tensor) -> set[str]:
    """Names of the parameters that are perturbed; afterwards all are what they were."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}

    def differ() -> Iterator[str]:
        return (n for n, p in model.named_parameters() if not torch.equal(p, before[n]))

    def loss() -> tuple[Tensor, Tensor]:
        logits = model(x)
        return logits.square().sum(), logits

    with perturbed_weights(model, loss, 0.01):
        found = {*differ()}
    assert not [*differ()]
    return found


def plain() -> tuple[nn.Module, Tensor]:
    draws = torch.Generator().manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
    )
    return model.eval(), torch.rand(8, 1, 8, 8, generator=draws)


@pytest.mark.parametrize(
    "defended",
    [
        lambda model, x: defend(model, Learn2Perturb(), x),
        lambda model, x: defend(model, PNI(granularity="element", where="activations"), x),
        lambda model, x: defend(model, PNI(granularity="channel"), x),
    ],
)
def test_no_learned_noise_is_perturbed(
    defended: Callable[[nn.Module, Tensor], nn.Module],
) -> None:
    """Theta and alpha were, as they have more than one dimension."""
    network = defended(*plain())
    weights = {name for name, _ in network.named_parameters() if name.endswith("weight")}
    assert moved(network, plain()[1]) == weights


def test_w_tilde_is_perturbed_and_b_tilde_is_not() -> None:
    model, x = plain()
    network = inject(model, InjectionSpec(TopK(0.5), Sparse(0.5), min_inputs=9), x)
    fit(network, x)
    names = {name for name, _ in network.named_parameters()}
    assert any(name.endswith("b_tilde") for name in names)
    expected = {name for name in names if name.endswith(("weight", "W_tilde"))}
    assert moved(network, x) == expected


def test_weights_of_attention_are_perturbed_and_places_are_not() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.places = nn.Parameter(torch.rand(1, 8, 8))
            self.norm = nn.LayerNorm([8, 8])
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True, add_bias_kv=True)
            self.last = weight_norm(nn.Linear(8, 3))

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.norm(x[:, 0] + self.places)
            return self.last(self.attention(tokens, tokens, tokens)[0].mean(1))  # type: ignore[no-any-return]

    assert moved(Attending(), torch.rand(4, 1, 8, 8)) == {
        "attention.in_proj_weight",
        "attention.out_proj.weight",
        "last.parametrizations.weight.original0",
        "last.parametrizations.weight.original1",
    }


def test_a_network_without_such_weights_stays() -> None:
    assert not moved(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64)).eval(), torch.rand(4, 1, 8, 8))
