"""An injected and fitted network to attack."""

import pytest
from torch import Tensor, nn

from nenni.method.fit import fit


@pytest.fixture
def fitted(noisy: nn.Module, digits: tuple[Tensor, Tensor]) -> nn.Module:
    """The injected network, fitted on 300 digits."""
    fit(noisy, digits[0][:300])
    return noisy
