"""Patterns of a config that match no layer of the networks that they are for.

The networks are made, without weights: torch is loaded, and only where there are patterns.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.networks.architecture import Architecture
from nenni.run.config import Config, Defence
from nenni.run.problems import Problem

if TYPE_CHECKING:
    from torch import nn

_ANY_CLASSES = 10
"""On which no name of a layer depends."""
_TOLD = 20
"""Layers that are told one by one."""
Place = tuple[int | str, ...]


def layer_contradictions(config: Config) -> Iterator[Problem]:
    """All of them, of the models of this package or torchvision on data of a published shape."""
    told = set()
    for base, defences in config.experiments.items():
        of = {name: dict(_patterns(config, name)) for name in defences}
        network = _network(config, base) if any(of.values()) else None
        if network is None:
            continue
        for defence, patterns in of.items():
            bad, layers = _unmatched(network, patterns, config.defences[defence])
            for place, pattern in patterns.items():
                if pattern in bad and (place, pattern) not in told:
                    told.add((place, pattern))
                    yield place, f"'{pattern}' matches no layer of base '{base}': {_listed(layers)}"


def _unmatched(
    network: "nn.Module", patterns: dict[Place, str], defence: Defence
) -> tuple[list[str], list[str]]:
    """Patterns that match none of the layers that a defence may change, as far as one may know."""
    from torch import nn

    from nenni.method.layer_patterns import LAYERS, unmatched

    of: tuple[type[nn.Module], ...] = LAYERS
    if (baseline := defence.baseline) is not None:
        own = plugins.folder_of("baseline", baseline["name"]) is not None
        of = (nn.Module,) if own else (*LAYERS, nn.ReLU)
    return unmatched(network, patterns.values(), of)


def _patterns(config: Config, defence: str) -> Iterator[tuple[Place, str]]:
    """Where the patterns of a defence stand, its own or the shared ones."""
    asked = config.defences[defence]
    for i, pattern in enumerate((asked.baseline or {}).get("layers", ())):
        yield ("defences", defence, "baseline", "layers", i), pattern
    change: dict[str, Any] | None = asked.injection
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
