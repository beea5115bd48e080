"""What is injected and how: the choices of the method, for a network and for each of its layers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, Self, get_args

from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.core.types import Bits, Count, Pattern
from nenni.method.noise.approximation import Approximation
from nenni.method.noise_base import Noise
from nenni.method.projection_base import Projection
from nenni.method.selection_base import Selection

PLUGINS = ("selection", "projection", "noise")
"""Choices that are plugins; the others are plain values."""
_EXAMPLES = {"selection": "TopK(0.5)", "projection": "Sparse(0.125)", "noise": "Approximation()"}


@dataclass(frozen=True)
class Choices:
    """All choices of NENNI for one layer.

    Parameters
    ----------
    selection
        Which neurons are essential, see :mod:`nenni.method.selection`.
    projection
        The kind of P, see :mod:`nenni.method.projection`.
    weight_bits, input_bits, projected_bits : int
        Widths of Q_w, Q_a and Q_p in z~ = Q_w(W~) Q_p(P Q_a(x)) + b~; 32: no rounding.
    exact_bits : int
        Width of weights and inputs on the exact path; 32: no rounding.
    score : "signed" or "magnitude"
        What of z~ the selection ranks. The paper ranks the signed value.
    normalise : bool
        Rank z~ as it leaves the batch norm that follows the layer (by its running statistics) or,
        where none does, standardised per channel by the mean and deviation seen in the fit: raw
        channels are not comparable. The paper ranks raw values.
    noise
        What non-essential neurons get, see :mod:`nenni.method.noise`; z~ in the paper.

    Raises
    ------
    UserError
        For a width or a score that does not exist, or a pool of learned projections.
    """

    selection: Selection
    projection: Projection
    weight_bits: Bits = 4
    input_bits: Bits = 4
    projected_bits: Bits = 4
    exact_bits: Bits = 32
    score: Literal["signed", "magnitude"] = "signed"
    normalise: bool = True
    noise: Noise = field(default_factory=Approximation)

    def __post_init__(self) -> None:
        for kind, method in (("selection", "mask"), ("projection", "sample"), ("noise", "value")):
            if not callable(getattr(getattr(self, kind), method, None)):
                raise UserError(
                    f"{kind} should be an object such as nenni.{_EXAMPLES[kind]}, got "
                    f"{getattr(self, kind)!r}"
                )
        for name in ("weight_bits", "input_bits", "projected_bits", "exact_bits"):
            if getattr(self, name) not in get_args(Bits):
                known = ", ".join(map(str, get_args(Bits)))
                raise UserError(f"{name} should be one of {known}, got {getattr(self, name)!r}")
        if self.score not in ("signed", "magnitude"):
            raise UserError(f"score should be 'signed' or 'magnitude', got {self.score!r}")
        if self.projection.learned and self.noise.approximations() > 1:
            raise UserError(
                f"{self.noise} draws one of several projections, and those learned by "
                f"{self.projection} are all the same"
            )

    def to_config(self) -> dict[str, Any]:
        """The choices as plain values, as a config or a file holds them."""
        config = {f.name: getattr(self, f.name) for f in fields(Choices)}
        return config | {kind: _plugin_config(kind, config[kind]) for kind in PLUGINS}

    @staticmethod
    def read(config: Mapping[str, Any]) -> dict[str, Any]:
        """Keyword arguments from some of the choices as plain values."""
        return {
            key: plugins.build(key, value) if key in PLUGINS else value
            for key, value in config.items()
        }


@dataclass(frozen=True)
class InjectionSpec(Choices):
    """All choices of NENNI for a network: those of a layer, which layers, and what differs where.

    Parameters
    ----------
    layers : sequence of str
        Patterns of layer names (``layer[34].*``) or types (``type:Linear``), those to leave exact
        with a leading ``!``; later patterns win. Empty, or where the first pattern excludes:
        starting from every convolution and linear layer but the first and the last to run.
        Grouped convolutions always stay exact.
    min_inputs : int
        Layers with d below this stay exact: projecting so few inputs saves nothing.
    overrides : mapping
        Pattern -> choices that differ in the layers it matches, as ``{"fc*": {"weight_bits": 8}}``;
        later patterns win. ``fraction`` changes that of the selection alone.

    Raises
    ------
    UserError
        For an override of what is no choice.
    """

    layers: Sequence[Pattern] = ()
    min_inputs: Count = 64
    overrides: Mapping[Pattern, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.layers, str):
            raise UserError(f"layers should be a sequence of patterns, such as ({self.layers!r},)")
        known = [f.name for f in fields(Choices)] + ["fraction"]
        for pattern, changes in self.overrides.items():
            for key in changes.keys() - set(known):
                raise UserError(
                    f"overrides: '{pattern}' changes '{key}', which is no choice of a layer; "
                    f"those are: {', '.join(known)}"
                )
            replace(self._own(), **{k: v for k, v in changes.items() if k != "fraction"})

    @classmethod
    def paper(cls, selection: Selection, projection: Projection) -> Self:
        """What the paper states: a 4-bit approximation, the raw signed value ranked.

        It leaves open what is to be given here, the fraction of essential neurons (top-k or N:M)
        and the ratio of its sparse projection, and further the bits of the inputs (4 here, as for
        the weights), the layers, the data of the fit and any normalisation of the score.
        """
        return cls(selection, projection, normalise=False)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Spec of a defence from the ``injection`` block of a config.

        Parameters
        ----------
        config : mapping
            Plain values; plugins as ``{"name": ..., ...}``.
        """
        overrides = {
            pattern: Choices.read(changes) for pattern, changes in config["overrides"].items()
        }
        rest = {k: v for k, v in config.items() if k not in ("layers", "overrides")}
        return cls(**Choices.read(rest), layers=tuple(config["layers"]), overrides=overrides)

    def _own(self) -> Choices:
        return Choices(**{f.name: getattr(self, f.name) for f in fields(Choices)})

    def of(self, name: str, kind: str) -> Choices:
        """Choices of one layer, by its name and the name of its type."""
        choices = self._own()
        for pattern, changes in self.overrides.items():
            if matches(pattern, name, kind):
                rest = {key: value for key, value in changes.items() if key != "fraction"}
                choices = replace(choices, **rest)
                if "fraction" in changes:
                    selection = with_fraction(choices, changes["fraction"], pattern)
                    choices = replace(choices, selection=selection)
        return choices


def matches(pattern: str, name: str, kind: str) -> bool:
    """Whether a pattern of names, or of types after ``type:``, matches a layer."""
    if pattern.startswith("type:"):
        return fnmatchcase(kind, pattern.removeprefix("type:"))
    return fnmatchcase(name, pattern)


def with_fraction(choices: Choices, fraction: float, where: str) -> Selection:
    """The selection of some choices with another fraction.

    Raises
    ------
    UserError
        If the selection has no fraction.
    """
    selection = choices.selection
    if not selection.adjustable:
        raise UserError(f"'{where}' has the selection {selection}, which has no fraction to change")
    return replace(selection, fraction=fraction)  # type: ignore[type-var]


def _plugin_config(kind: str, plugin: Any) -> dict[str, Any]:
    """A plugin's name and parameters, as plain values.

    Raises
    ------
    UserError
        If it is no plugin of this package, which reading the config back would not find.
    """
    name = plugins.name_of(kind, type(plugin))
    if name is None:
        raise UserError(
            f"{plugin} cannot be saved by name: {kind} {type(plugin).__name__} is not in a file of "
            f"its own in nenni/{plugins.PACKAGES[kind].replace('.', '/')}/, nor in a folder that "
            f"nenni.use_plugins was given"
        )
    return {"name": name, **asdict(plugin)}
