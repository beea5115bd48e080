"""What noises declare is what their values show."""

import pytest
import torch

from nenni.core.seeding import seeded
from nenni.method.noise.approximation import Approximation
from nenni.method.noise.gaussian import GaussianNoise
from nenni.method.noise.resample import Resample
from nenni.method.noise.uniform import UniformNoise
from nenni.method.noise.zero import Zero
from nenni.method.noise_base import Noise

EACH: list[Noise] = [Approximation(), GaussianNoise(), UniformNoise(), Zero(), Resample(3)]


@pytest.mark.parametrize("noise", EACH, ids=repr)
def test_values_are_made_from_what_is_declared(noise: Noise) -> None:
    z, z_tilde = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(0))
    deviation = torch.tensor(0.5)

    def value(z: torch.Tensor, z_tilde: torch.Tensor) -> torch.Tensor:
        with seeded(1):
            return noise.value(z, z_tilde, deviation)

    plain = value(z, z_tilde)
    follows_exact = not torch.equal(value(z + 1, z_tilde), plain)
    follows_approximation = not torch.equal(value(z, z_tilde + 1), plain)
    assert follows_exact == (noise.uses == "exact")
    assert follows_approximation == (noise.uses == "approximate")
    if noise.uses == "nothing":
        assert not plain.any()


@pytest.mark.parametrize("noise", EACH, ids=repr)
def test_one_approximation_unless_drawn(noise: Noise) -> None:
    assert noise.approximations() == (3 if isinstance(noise, Resample) else 1)
    assert noise.approximations() == 1 or noise.randomised
