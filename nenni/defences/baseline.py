"""A baseline defence, as a file holds it: its name, its settings and whether its noise is on."""

from dataclasses import asdict
from typing import Any

from torch import Tensor, nn

from nenni.core import plugins, settings
from nenni.core.errors import UserError
from nenni.method.baseline import baseline_layers
from nenni.method.defend import set_noise, with_baseline

__all__ = ["BaselineFormat"]

_KIND = "baseline"


class BaselineFormat:
    """What others proposed, in place of the method or beside it; see :func:`nenni.defend`."""

    @staticmethod
    def describe(network: nn.Module) -> dict[str, Any] | None:
        """``baseline``, its name and settings, and ``noise``; None if there is none.

        Raises
        ------
        UserError
            If the baseline is no plugin, so that no file can name it.
        """
        layer = next((layer for _, layer in baseline_layers(network)), None)
        if layer is None:
            return None
        baseline: Any = layer.baseline
        name = plugins.name_of(_KIND, type(baseline))
        if name is None:
            raise UserError(
                f"{baseline} cannot be saved by name: it is not in a file of its own in "
                "nenni/defences/baselines/, nor in a folder that nenni.use_plugins was given"
            )
        chosen = {**asdict(baseline), "layers": [*baseline.layers]}
        return {_KIND: {"name": name, **chosen}, "noise": layer.noise}

    @staticmethod
    def restore(model: nn.Module, described: dict[str, Any], example: Tensor) -> nn.Module:
        """Copy of a plain network with the baseline's layers.

        Raises
        ------
        ValueError
            If the description is malformed.
        UserError
            If the network has no such layers.
        """
        if described.keys() != {_KIND, "noise"} or not isinstance(described["noise"], bool):
            raise ValueError("baseline and noise should be given")
        chosen = settings.validate(_KIND, described[_KIND])
        defended = with_baseline(model, plugins.build(_KIND, chosen), example)
        if not described["noise"]:
            set_noise(defended, on=False)
        return defended
