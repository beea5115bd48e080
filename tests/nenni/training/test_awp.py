import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
        torch.testing.assert_close(p.detach(), before[name])


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
