"""What is injected and how: the choices of the method in one frozen object."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from nenni import plugins
from nenni.protocols import Projection, Selection


@dataclass(frozen=True)
class InjectionSpec:
    """All choices of NENNI for a network.

    Parameters
    ----------
    selection, projection
        See :mod:`nenni.selection` and :mod:`nenni.projection`.
    weight_bits, input_bits, projected_bits : int
        Widths of Q_w, Q_a and Q_p in z~ = Q_w(W~) Q_p(P Q_a(x)) + b~; 16 or more: no rounding.
    score : "signed" or "magnitude"
        What of z~ the selection ranks. The paper ranks the signed value.
    normalise : bool
        Standardise the score per channel by the mean and deviation of z~ seen in the fit: raw
        channels are not comparable. The paper ranks raw values.
    min_inputs : int
        Layers with d below this stay exact: projecting so few inputs saves nothing.
    fractions : dict
        Fraction of single layers by name, in place of the selection's own.
    """

    selection: Selection
    projection: Projection
    weight_bits: int = 4
    input_bits: int = 4
    projected_bits: int = 4
    score: Literal["signed", "magnitude"] = "signed"
    normalise: bool = True
    min_inputs: int = 64
    fractions: dict[str, float] = field(default_factory=dict)

    def selection_of(self, layer: str) -> Selection:
        """Selection of one layer, with its own fraction where it has one."""
        if layer not in self.fractions:
            return self.selection
        return replace(self.selection, fraction=self.fractions[layer])  # type: ignore[type-var]

    @classmethod
    def from_config(cls, config: dict[str, Any], fractions: dict[str, float]) -> Self:
        """Spec of a defence from the ``injection`` block of a config."""
        rest = {k: v for k, v in config.items() if k not in ("selection", "projection", "allocate")}
        return cls(
            selection=plugins.build("selection", config["selection"]),
            projection=plugins.build("projection", config["projection"]),
            fractions=fractions,
            **rest,
        )
