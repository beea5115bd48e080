"""NENNI, the method of the paper, as a file holds it: the choices of every injected layer."""

from dataclasses import fields
from typing import Any

from torch import Tensor, nn

from nenni.core import settings
from nenni.method.injection import inject, noisy_layers
from nenni.method.spec import PLUGINS, Choices, InjectionSpec

__all__ = ["Nenni"]


class Nenni:
    """Injected noise in place of non-essential neurons; see :func:`nenni.inject`."""

    @staticmethod
    def describe(network: nn.Module) -> dict[str, Any] | None:
        """``layers``, the choices of each injected layer as plain values; None if there is none.

        Raises
        ------
        UserError
            If a choice is no plugin, so that no file can name it.
        """
        layers = {name: layer.choices.to_config() for name, layer in noisy_layers(network)}
        return {"layers": layers} if layers else None

    @staticmethod
    def restore(model: nn.Module, described: dict[str, Any], example: Tensor) -> nn.Module:
        """Copy of a plain network, injected layer by layer as described.

        Raises
        ------
        ValueError, TypeError
            If the choices are malformed.
        UserError
            If the network has no such layers.
        """
        layers = described.get("layers")
        if described.keys() != {"layers"} or not isinstance(layers, dict) or not layers:
            raise ValueError("layers should be a mapping of names to choices")
        choices = {_literal(name): _read(config) for name, config in layers.items()}
        first = next(iter(choices.values()))
        spec = InjectionSpec(**first, layers=tuple(choices), min_inputs=1, overrides=choices)
        return inject(model, spec, example)


def _read(config: Any) -> dict[str, Any]:
    """Choices of a layer; a ValueError if one is missing, unknown or no plugin."""
    if not isinstance(config, dict) or config.keys() != {f.name for f in fields(Choices)}:
        raise ValueError("choices are missing or unknown")
    return Choices.read(config | {kind: settings.validate(kind, config[kind]) for kind in PLUGINS})


def _literal(name: str) -> str:
    """A pattern that matches this layer name alone."""
    return name.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")
