"""An injected network of every selection, projection, noise and path, and what it gives."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

import nenni
from nenni.core.seeding import seeded
from nenni.method.fitting.scales import calibrate_scales
from nenni.method.injection import inject, noisy_layers, set_path
from nenni.method.noisy_layer import LayerPath
from nenni.method.spec import InjectionSpec
from nenni.method.visit import SeenInExact

TOP, TAPS = nenni.TopK(0.5), nenni.TapShared(1 / 4)
SPECS = {
    **{
        name: InjectionSpec(selection, TAPS)
        for name, selection in {
            "topk": TOP, "threshold": nenni.Threshold(0.5), "2:4": nenni.NM(2, 4),
            "block": nenni.Block(0.5, 8, 4), "channel": nenni.Channel(0.5),
            "random": nenni.Random(0.5), "inverted": nenni.Inverted(0.5),
            "oracle": nenni.Oracle(0.5), "all": nenni.All(), "none": nenni.Nothing(),
        }.items()
    },
    **{
        type(projection).__name__: InjectionSpec(TOP, projection)
        for projection in (
            nenni.Sparse(1 / 4), nenni.Gaussian(1 / 4), nenni.CountSketch(1 / 4),
            nenni.TapSharedPCA(1 / 4),
        )
    },
    **{
        type(noise).__name__: InjectionSpec(TOP, TAPS, noise=noise)
        for noise in (
            nenni.GaussianNoise(), nenni.UniformNoise(), nenni.Zero(), nenni.Resample(3),
        )
    },
    "W~ P as one matrix": InjectionSpec(TOP, nenni.Sparse(1.0), 4, 4, 32),
    "nothing rounded": InjectionSpec(TOP, TAPS, 32, 32, 32),
    "exact path rounded": InjectionSpec(TOP, TAPS, exact_bits=8),
    "raw magnitudes": InjectionSpec(TOP, TAPS, normalise=False, score="magnitude"),
}  # fmt: skip
PATHS: tuple[LayerPath, ...] = ("injected", "soft", "bpda", "exact", "approximate")
CASES = [(name, "injected") for name in SPECS] + [
    (name, path) for name in ("topk", "2:4", "block", "Resample") for path in PATHS[1:]
]
IMAGES = torch.rand(4, 3, 24, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def network(name: str, path: LayerPath, *, fine: bool = False) -> nn.Module:
    """Convolutions with and without a batch norm, rows short and long, and a linear layer.

    Fine codes, of 16 bits in place of 4, leave next to no two values equal.
    """
    spec = SPECS[name]
    if fine and spec.weight_bits < 32:
        spec = replace(spec, weight_bits=16, input_bits=16)
        spec = replace(spec, projected_bits=max(16, spec.projected_bits))
    with seeded(0):
        plain = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 8, 3, padding=1, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(1152, 10),
        ).double().eval()  # fmt: skip
        noisy = inject(plain, spec, IMAGES[:1])
        calibrate_scales(SeenInExact(noisy, IMAGES, len(IMAGES)))
        for _, layer in noisy_layers(noisy):
            nn.init.normal_(layer.W_tilde, std=0.1)
            nn.init.normal_(layer.b_tilde, std=0.1)
            layer.error_deviation.fill_(0.1)
    set_path(noisy, path)
    return noisy


def values_and_gradients(model: Callable[[Tensor], Tensor], noisy: nn.Module) -> list[Tensor]:
    """Logits, and the gradients of what they depend on, for the same draws each time."""
    images = IMAGES.to(next(noisy.parameters()).device).requires_grad_()
    with seeded(3):
        logits = model(images)
    wanted = [images, *noisy.parameters()]
    found = torch.autograd.grad(logits.square().sum(), wanted, allow_unused=True)
    return [logits.detach(), *(g for g in found if g is not None)]
