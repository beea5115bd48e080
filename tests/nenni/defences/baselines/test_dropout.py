"""How many neurons are dropped, where, and what the others become."""

import pytest
import torch
from baseline_cases import Digits, answers, defended
from torch import nn

from nenni.defences.baselines.dropout import DroppingLayer, RandomDropout
from nenni.method.baseline import baseline_layers


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_share_is_dropped_and_the_rest_is_scaled(
    share: float, trained: nn.Module, digits: Digits
) -> None:
    network, x = defended(trained, RandomDropout(share), digits), digits[0][:100]
    layers = dict(baseline_layers(network))
    assert list(layers) == ["conv1", "conv2", "conv3", "conv4", "fc1"]
    first = layers["conv1"]
    assert isinstance(first, DroppingLayer)
    z = first.wrapped(x).detach()
    found = answers(first, x)
    dropped = found == 0
    assert float(dropped.float().mean()) == pytest.approx(share, abs=0.01)
    assert torch.allclose(found[~dropped], z[~dropped] / (1 - share))
    each = dropped.flatten(1).float().mean(1)
    assert float(each.std()) == pytest.approx((share * (1 - share) / z[0].numel()) ** 0.5, rel=0.3)
    assert not torch.equal(dropped[0], dropped[1]), "a mask for each image"


def test_it_stays_on_in_eval_mode(trained: nn.Module, digits: Digits) -> None:
    network, x = defended(trained, RandomDropout(0.5), digits), digits[0][:5]
    assert not network.training
    assert not torch.equal(answers(network, x, 0), answers(network, x, 1))


def test_on_average_nothing_changes(trained: nn.Module, digits: Digits) -> None:
    first = next(
        layer for _, layer in baseline_layers(defended(trained, RandomDropout(0.5), digits))
    )
    assert isinstance(first, DroppingLayer)
    x = digits[0][:2]
    mean = torch.stack([answers(first, x, i) for i in range(2000)]).mean(0)
    z = first.wrapped(x).detach()
    assert torch.allclose(mean, z, atol=6 * float(z.abs().max()) / 2000**0.5)
