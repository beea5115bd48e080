"""Patterns of layers are those of the networks that a config names."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from run_cases import DIGITS

from nenni.core import plugins
from nenni.run.config_file import load_config, read_yaml
from nenni.run.layer_contradictions import layer_contradictions

TOPK = "defences.topk_50.injection"
CIFAR = {"data": {"name": "cifar10"}, "val": 500}


def told(tmp_path: Path, changes: dict[str, Any]) -> list[str]:
    content = read_yaml(DIGITS)
    for place, value in changes.items():
        *above, last = place.split(".")
        holder: Any = content
        for key in above:
            holder = holder[key]
        holder[last] = value
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    found = layer_contradictions(load_config(tmp_path / "c.yaml"))
    return [".".join(map(str, place)) + f": {what}" for place, what in found]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"injection.layers": ["conv9"]}, "injection.layers.0: 'conv9' matches no layer of base"),
        ({f"{TOPK}.layers": ["!conv2", "!fc9"]}, f"{TOPK}.layers.1: '!fc9' matches no layer"),
        ({f"{TOPK}.layers": ["type:Conv3d"]}, f"{TOPK}.layers.0: 'type:Conv3d' matches no layer"),
        (
            {f"{TOPK}.overrides": {"fc*": {"fraction": 0.3}, "fd*": {"fraction": 0.2}}},
            f"{TOPK}.overrides.fd*: 'fd*' matches no layer of base 'pgd_at': conv1, conv2, conv3,",
        ),
        (
            {"defences.random_50": {"baseline": {"name": "pni", "layers": ["fc1", "fc7"]}}},
            "defences.random_50.baseline.layers.1: 'fc7' matches no layer of base 'pgd_at'",
        ),
        (
            {"injection.layers": ["relu1"]},
            "injection.layers.0: 'relu1' matches no layer of base",
        ),
    ],
)
def test_a_pattern_that_matches_nothing(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    found = told(tmp_path, changes)
    assert found
    assert all(line.startswith(message) for line in found)
    assert len({line.split(": ")[0] for line in found}) == 1


def test_a_baseline_may_change_relus(tmp_path: Path) -> None:
    k_wta = {"baseline": {"name": "k_wta", "layers": ["relu1", "type:ReLU"]}}
    assert told(tmp_path, {"defences.random_50": k_wta}) == []


def test_each_base_is_looked_at(tmp_path: Path) -> None:
    """A pattern of the one network is none of the other."""
    changes = {
        "models.other": {"name": "lenet5"},
        "bases.standard.model": "other",
        "injection.layers": ["conv4"],
    }
    (line,) = told(tmp_path, changes)
    assert line.startswith("injection.layers.0: 'conv4' matches no layer of base 'standard'")


@pytest.mark.parametrize(
    ("model", "layers"),
    [
        *(({"name": name}, ["type:Linear", "type:Conv2d"])
          for name in plugins.names("model") if name not in ("function", "torchvision")),
        ({"name": "torchvision:vit_b_16"}, ["*self_attention.q", "!1.conv_proj"]),
        ({"name": "torchvision:mobilenet_v3_small"}, ["1.features.*"]),
    ],
)  # fmt: skip
def test_layers_that_there_are(model: dict[str, Any], layers: list[str], tmp_path: Path) -> None:
    changes = {"models.small_cnn": model, "data.mnist5k": CIFAR, "injection.layers": layers}
    assert not told(tmp_path, changes)


def test_somebodys_own_network_is_not_made(tmp_path: Path) -> None:
    """Checking a config runs nothing that it names."""
    model = {"name": "nowhere:build"}
    assert not told(tmp_path, {"models.small_cnn": model, "injection.layers": ["conv9"]})
