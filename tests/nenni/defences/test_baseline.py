"""What a file says of a baseline, and what is refused of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from baseline_cases import Digits, answers, defended, fresh
from safetensors.torch import load_file, save_file
from torch import nn

import nenni
from nenni.core.errors import UserError
from nenni.core.io import read_tensors, write_tensors
from nenni.defences.baseline import BaselineFormat
from nenni.method.baseline import Added, Baseline, WrappedLayer, put_around
from nenni.method.ran import layers_that_run

OWN = '''"""Half of what a layer gives."""

from dataclasses import dataclass

from nenni.core.types import Ratio
from nenni.method.baseline import Added, Baseline, WrappedLayer, put_around
from nenni.method.ran import layers_that_run

__all__ = ["Part"]


@dataclass(frozen=True)
class Part(Baseline):
    """z' = c z.

    Parameters
    ----------
    c : float
        How much of it.
    """

    c: Ratio = 0.5

    def put(self, network, image, draws):
        for found in layers_that_run(network, image):
            put_around(network, found.layer, PartOf(self, found.layer))


class PartOf(WrappedLayer):
    def forward(self, x):
        return self.baseline.c * self.wrapped(x)

    def added(self, x, z):
        return Added(macs=z.numel())
'''


def test_a_plain_network_has_none(trained: nn.Module) -> None:
    assert BaselineFormat.describe(trained) is None


def test_name_settings_and_noise_are_described(digits: Digits) -> None:
    network = defended(fresh(), nenni.GaussianActivations(0.5), digits)
    described = {"baseline": {"name": "gaussian", "layers": [], "sigma": 0.5}, "noise": True}
    assert BaselineFormat.describe(network) == described
    nenni.set_noise(network, on=False)
    assert BaselineFormat.describe(network) == described | {"noise": False}


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"baseline": {"name": "gaussian", "sigma": 0.5}}, "baseline and noise should be given"),
        ({"baseline": {"name": "gaussian", "sigma": 0.5}, "noise": 1}, "baseline and noise should be given"),
        ({"baseline": {"name": "gauss"}, "noise": True}, "unknown baseline 'gauss'; known are: .*plugins of your own"),
        ({"baseline": {"name": "gaussian", "sigma": -1}, "noise": True}, "sigma: should be greater than or equal to 0"),
        ({"baseline": {"name": "quantised"}, "noise": False}, "no baseline with a noise"),
    ],
)  # fmt: skip
def test_what_a_file_may_not_say(
    described: dict[str, Any], message: str, digits: Digits, tmp_path: Path
) -> None:
    file = tmp_path / "n.safetensors"
    nenni.save(defended(fresh(), nenni.GaussianActivations(0.5), digits), file)
    tensors, meta = read_tensors(file)
    write_tensors(file, tensors, meta | {"defence": {"name": "baseline", **described}})
    with pytest.raises(UserError, match=f"n.safetensors: .*{message}"):
        nenni.load(file)


def test_a_baseline_of_no_plugin_is_refused(digits: Digits, tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Mine(Baseline):
        def put(self, network: nn.Module, image: Any, draws: Any) -> None:
            for found in layers_that_run(network, image):
                put_around(network, found.layer, Same(self, found.layer))

    class Same(WrappedLayer):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            z: torch.Tensor = self.wrapped(x)
            return z

        def added(self, x: torch.Tensor, z: torch.Tensor) -> Added:
            return Added()

    network = defended(fresh(), Mine(), digits)
    with pytest.raises(UserError, match=r"Mine\(layers=\(\)\) cannot be saved by name"):
        nenni.save(network, tmp_path / "n.safetensors")
    assert nenni.describe(network, digits[0][:2])["layers"][0]["defence"]["name"] == "Mine"


def test_a_baseline_of_ones_own_folder_is_kept(
    digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nenni.core.plugins._folders", {})
    (tmp_path / "mine" / "baseline").mkdir(parents=True)
    (tmp_path / "mine" / "baseline" / "part.py").write_text(OWN)
    nenni.use_plugins(tmp_path / "mine")
    from nenni.core import plugins

    network = defended(fresh(), plugins.build("baseline", {"name": "part", "c": 0.25}), digits)
    nenni.save(network, tmp_path / "n.safetensors")
    x = digits[0][:5]
    assert torch.equal(answers(nenni.load(tmp_path / "n.safetensors"), x), answers(network, x))
    found = nenni.evaluate(network, (x, digits[1][:5]), {"fgsm": {"name": "fgsm"}}, eps=0.1)
    assert set(found.examples["draws"]) == {1}


def test_tensors_alone_do_not_make_one(digits: Digits, tmp_path: Path) -> None:
    """Names of tensors are those of the defended network: a plain one does not take them."""
    nenni.save(defended(fresh(), nenni.PNI(), digits), tmp_path / "n.safetensors")
    save_file(load_file(tmp_path / "n.safetensors"), tmp_path / "alone.safetensors")
    with pytest.raises(UserError, match=r"alone\.safetensors"):
        nenni.load(tmp_path / "alone.safetensors", fresh())
