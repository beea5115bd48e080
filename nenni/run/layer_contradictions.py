"""Patterns of a config that match no layer of the networks that they are for.

The networks are made, without weights: torch is loaded, and only where there are patterns.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.networks.architecture import Architecture
from nenni.run.config import Config
from nenni.run.problems import Problem

if TYPE_CHECKING:
    from torch import nn

_ANY_CLASSES = 10
"""On which no name of a layer depends."""
_TOLD = 20
"""Layers that are told one by one."""


def layer_contradictions(config: Config) -> Iterator[Problem]:
    """All of them, of the models of this package or torchvision on data of a published shape."""
    told = set()
    for base, defences in config.experiments.items():
        patterns = {
            place: pattern for defence in defences for place, pattern in _patterns(config, defence)
        }
        network = _network(config, base) if patterns else None
        if network is None:
            continue
        from nenni.method.injection import unmatched

        bad, layers = unmatched(network, patterns.values())
        for place, pattern in patterns.items():
            if pattern in bad and (place, pattern) not in told:
                told.add((place, pattern))
                yield place, f"'{pattern}' matches no layer of base '{base}': {_listed(layers)}"


def _patterns(config: Config, defence: str) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Where the patterns of a defence stand, its own or the shared ones."""
    change: dict[str, Any] | None = config.defences[defence].injection
    if change is None:
        return
    for key in ("layers", "overrides"):
        own = key in change
        loc = ("defences", defence, "injection", key) if own else ("injection", key)
        given = change[key] if own else config.injection[key]
        for i, pattern in enumerate(given):
            yield (*loc, pattern if key == "overrides" else i), pattern


def _network(config: Config, base: str) -> "nn.Module | None":
    """The network of a base without weights; None where it is somebody's own or not known."""
    model, data = config.models[config.bases[base].model], config.data[config.bases[base].data]
    shape = plugins.constant("data", data.data["name"], "SHAPE", None)
    if shape is None or model["name"] == "function" or plugins.folder_of("model", model["name"]):
        return None
    import torch

    from nenni.networks.build import build

    try:
        with torch.device("meta"):
            return build(Architecture(model, shape, _ANY_CLASSES))
    except UserError:
        return None  # told by the job that makes it


def _listed(layers: list[str]) -> str:
    """All, or of many the first and the last."""
    shown = layers if len(layers) <= _TOLD else [*layers[: _TOLD - 1], "...", layers[-1]]
    return ", ".join(shown)
