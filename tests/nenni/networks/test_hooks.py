import pytest
import torch
from torch import nn

from nenni.networks.hooks import hooked


def test_hooks_run_within_and_are_gone_after_an_error() -> None:
    layer = nn.Linear(2, 2)

    def refuse(_: nn.Module, __: object, z: torch.Tensor) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), hooked([layer.register_forward_hook(refuse)]):
        layer(torch.zeros(1, 2))
    assert layer(torch.zeros(1, 2)).shape == (1, 2)
