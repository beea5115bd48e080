"""What a file says of injected layers, and what has no name to say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers
from nenni.method.network_file import load, save
from nenni.method.projection.sparse import Sparse
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec

MakeSpec = Callable[..., InjectionSpec]


X = torch.zeros(1, 1, 28, 28)


@dataclass(frozen=True)
class Mine(Sparse):
    """A projection of a user's own."""


@dataclass(frozen=True)
class Middle(TopK):
    """A selection of a user's own."""


@pytest.mark.parametrize(
    "choices", [{"projection": Mine(0.25)}, {"selection": Middle(0.5)}], ids=str
)
def test_what_is_in_no_plugin_file_is_refused(
    trained: nn.Module, make_spec: MakeSpec, choices: dict[str, Any], tmp_path: Path
) -> None:
    noisy = inject(trained, make_spec(**choices), X)
    with pytest.raises(UserError, match=r"(Mine|Middle).* cannot be saved by name: .* of its own"):
        save(noisy, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_names_of_layers_are_no_patterns(tmp_path: Path) -> None:
    """Brackets and stars in the names of a ModuleDict stand for themselves."""

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(4, 9), nn.Linear(9, 2)
            self.layers = nn.ModuleDict(
                {"[ab]": nn.Linear(9, 9), "a": nn.Linear(9, 9), "*": nn.Linear(9, 9)}
            )

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            for layer in self.layers.values():
                x = layer(x)
            z: Tensor = self.last(x)
            return z

    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    overrides = {"layers.[[]ab]": {"weight_bits": 2}, "layers.[*]": {"weight_bits": 8}}
    spec = InjectionSpec(
        TopK(0.5), Sparse(0.5), min_inputs=1, layers=("!layers.a",), overrides=overrides
    )
    noisy = inject(Odd(), spec, x)
    bits = {name: layer.choices.weight_bits for name, layer in noisy_layers(noisy)}
    assert bits == {"layers.[ab]": 2, "layers.*": 8}
    fit(noisy, x)
    save(noisy, tmp_path / "m")
    loaded = load(tmp_path / "m", Odd(), x)
    assert {name: layer.choices.weight_bits for name, layer in noisy_layers(loaded)} == bits
    assert torch.equal(loaded(x), noisy(x))
