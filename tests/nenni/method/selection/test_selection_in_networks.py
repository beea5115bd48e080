"""Selections within fitted networks: thresholds, the oracle, the score."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from selection_cases import scores
from torch import Tensor, nn

from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers
from nenni.method.report import report
from nenni.method.selection.block import Block
from nenni.method.selection.channel import Channel
from nenni.method.selection.n_m import NM
from nenni.method.selection.oracle import Oracle
from nenni.method.selection.topk import TopK
from nenni.method.selection_base import Selection
from nenni.method.spec import InjectionSpec

MakeSpec = Callable[..., InjectionSpec]


def test_the_oracle_finds_the_truly_largest(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    """Judged on the exact z in the report, in the layers and in their soft masks."""
    noisy = inject(trained, make_spec(selection=Oracle(0.3)), digits[0][:1])
    fit(noisy, digits[0][:200])
    assert (report(noisy, digits[0][200:300])["recall"] == 1).all()
    layer = dict(noisy_layers(noisy))["conv2"]
    x = torch.rand(6, 8, 14, 14, generator=torch.Generator().manual_seed(0))
    z, z_tilde = layer.exact(x), layer.approximate(x)
    mask = TopK(0.3).mask(z)
    assert not torch.equal(mask, TopK(0.3).mask(z_tilde))
    assert torch.equal(layer(x), torch.where(mask, z, z_tilde))
    layer.path, layer.temperature = "soft", 1e-7
    torch.testing.assert_close(layer(x), torch.where(mask, z, z_tilde), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "selection", [Block(0.25, 4, 4), Channel(0.25), NM(1, 4), TopK(0.25), Oracle(0.25)], ids=str
)
def test_fractions_hold_in_a_network(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor], selection: Selection
) -> None:
    noisy = inject(trained, make_spec(selection=selection), digits[0][:1])
    fit(noisy, digits[0][:100])
    table = report(noisy, digits[0][:50])
    assert (table["fraction"] - selection.nominal()).abs().max() < 0.05
    assert (table["recall"] > 0.25).all()


def test_the_score_is_what_follows_the_layer() -> None:
    """relu(z) has as many ties as zeros: the count holds, and no zero comes before a positive."""
    z = F.relu(scores((4, 8, 6, 6), 0, ties=False))
    mask = TopK(0.7).mask(z)
    assert (mask.flatten(1).sum(1) == round(0.7 * 288)).all()
    assert mask[z > 0].all()
