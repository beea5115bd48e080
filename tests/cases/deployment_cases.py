"""Small injected networks, and each step of a deployed one beside its simulation."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.fx import Interpreter

import nenni
from nenni.deployment import torch_path
from nenni.deployment.compiled import TORCH, kernels
from nenni.deployment.deploy import Deployed
from nenni.deployment.program import Codes
from nenni.networks.residual import BasicBlock

KERNELS = ["torch", "avx2", "avx512_vnni"]


def kernel_or_skip(name: str) -> str:
    """The kernel, if this machine can build and run it."""
    if name != TORCH and name not in kernels():
        pytest.skip(f"no kernel {name} here: {', '.join(kernels())}")
    return name


def small(fraction: float = 0.4, width: int = 24, size: int = 9, **choices: Any) -> nn.Module:
    """A fitted residual network whose channels and positions no tile divides."""
    torch.manual_seed(0)
    shortcut = nn.Sequential(nn.Conv2d(width, 40, 1, 2, bias=False), nn.BatchNorm2d(40))
    network = nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        BasicBlock(width, width, 1, nn.Sequential()),
        BasicBlock(width, 40, 2, shortcut),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(40, 5),
    )
    x = images(16, size)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
            module.momentum = None
    with torch.no_grad():
        network(x)
    tile = choices.pop("tile", (16, 4))
    chosen: dict[str, Any] = {"exact_bits": 8, "input_bits": 8, "projected_bits": 8} | choices
    spec = nenni.InjectionSpec(nenni.Block(fraction, *tile), nenni.TapShared(0.5), **chosen)
    noisy = nenni.inject(network.eval(), spec, x[:1])
    nenni.fit(noisy, x)
    return noisy


def around(layer: nn.Conv2d, size: int) -> nn.Module:
    """A fitted network of images of a size, in which this layer alone is injected."""
    first, last = nn.Conv2d(3, layer.in_channels, 3, padding=1), nn.Linear(layer.out_channels, 4)
    pool = [nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    network = nn.Sequential(first, nn.ReLU(), layer, *pool, last).eval()
    spec = nenni.InjectionSpec(
        nenni.Block(0.5, 16, 4), nenni.TapShared(0.5), exact_bits=8, layers=("2",), min_inputs=1
    )
    noisy = nenni.inject(network, spec, images(8, size))
    nenni.fit(noisy, images(8, size))
    return noisy


def images(n: int, size: int = 9) -> Tensor:
    """Images (n, 3, size, size), always the same."""
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1))


class _Remembering(Interpreter):
    def __init__(self, graph: Any) -> None:
        super().__init__(graph, garbage_collect_values=False)

    def values_of(self, x: Tensor) -> dict[str, Any]:
        self.run(x)
        return {node.name: value for node, value in self.env.items()}


def steps_beside_simulation(network: Deployed, x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Name of each convolution, and how many steps its codes are off, given the simulation's inputs."""
    with torch.no_grad():
        simulated = _Remembering(network.simulation).values_of(x.clone())
        planes = {}
        for step in network.steps:
            values = {
                name: Codes(torch_path.to_codes(simulated[name], planes[name]), planes[name])
                if name in planes
                else simulated[name]
                for name in step.used
            }
            value = step.run(values)
            if isinstance(value, Codes):
                planes[step.made] = value.plane
                numbers = value.plane.numbers(value.bytes)
                if step.layer is not None:
                    yield step.name, ((numbers - simulated[step.made]) / value.plane.scale).abs()
            elif step.layer is not None:
                yield step.name, (value - simulated[step.made]).abs() / simulated[step.made].std()
