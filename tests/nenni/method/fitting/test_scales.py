"""Steps of roundings that are calibrated on all calls of a layer."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers
from nenni.method.quantise import mse_scale
from nenni.method.spec import InjectionSpec
from nenni.networks.hooks import hooked

MakeSpec = Callable[..., InjectionSpec]


class Twice(nn.Module):
    """Applies one layer two times, to inputs of two sizes; the second is changed in place."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.size = size
        self.first, self.shared = nn.Linear(12, 12), nn.Linear(12, 12)
        self.last = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.size * torch.relu(self.first(x.flatten(1)))
        y = self.shared(x) / self.size
        x.zero_()
        return self.last(torch.relu(self.shared(torch.relu(y))))


@pytest.mark.parametrize("size", [30.0, 1 / 30])
def test_steps_are_those_of_all_calls(make_spec: MakeSpec, size: float) -> None:
    model, x = Twice(size).eval(), torch.rand(40, 3, 2, 2)
    noisy = inject(model, make_spec(min_inputs=1, layers=("shared",), exact_bits=8), x[:1])
    fit(noisy, x)
    inputs: list[Tensor] = []
    shared = model.shared
    handle = shared.register_forward_pre_hook(lambda _, x: inputs.append(x[0].clone()))
    with hooked([handle]), torch.no_grad():
        model(x)
    layer = dict(noisy_layers(noisy))["shared"]
    assert torch.equal(layer.exact_scale, mse_scale(torch.cat(inputs), 8))
    assert torch.equal(layer.input_scale, mse_scale(torch.cat(inputs), 4))
    projected = torch.cat([layer.projected(each) for each in inputs])
    assert torch.equal(layer.projected_scale[0], mse_scale(projected, 4))
