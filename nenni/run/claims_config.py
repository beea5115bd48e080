"""What ``claims.yaml`` may hold: what was claimed, by which text, and what of a run tests it.

A claim describes what tests it by what it is, never by the name that some config gives it, so that
one file serves every run. :mod:`nenni.run.claim_tests` finds it in a config.
"""

from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nenni.adversary import attack_config
from nenni.core import settings
from nenni.core.plugins import Ref
from nenni.core.settings import PluginOf
from nenni.core.types import Fraction, Name, Positive, Radius, Several, Text

Against = Literal["same_training", "base", "last_epoch", "best_epoch", "baselines"]
"""What an arm is compared with, see :class:`Claim`."""
Measure = Literal["robust_gain", "robust_loss", "clean_kept", "clean_loss", "bitops_reduction"]
"""What is measured, see :class:`Claim`."""
Share = Annotated[Fraction, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Source(_Strict):
    """A text that makes claims.

    Attributes
    ----------
    cite
        What it is, and where it can be read.
    certainty
        Whether a claim is cited from the text's own abstract, from reviews of it, or from a review
        that has no page of its own.
    """

    cite: Text
    certainty: Literal["abstract", "review", "second-hand"]


class Arm(_Strict):
    """Defences that test a claim. They inject the approximation's error, as the method does.

    Attributes
    ----------
    selection
        Which neurons are exact, with all parameters as they are.
    finetuned
        Whether they are trained on after the injection; by default either.
    differs
        How they differ from what the claim is about, if they do: they can at best show the same
        direction.
    """

    selection: Annotated[
        Ref, BeforeValidator(partial(settings.validate, "selection")), PluginOf("selection")
    ]
    finetuned: bool | None = None
    differs: Text | None = None


class Claim(_Strict):
    """One claim, with what it is compared with and what of a run tests it.

    Attributes
    ----------
    text
        What was claimed, and what of it is this project's reading.
    source
        A text by name.
    datasets
        On which it was made: the name of the data in a config, or of its plugin. On others a run
        can at best show the same direction.
    architectures
        With which, by the model's plugin with its default size, or its name in torchvision; the
        same goes for others. Any where the text names none.
    training
        Methods by which the bases of the arms were trained.
    arms
        Which defences test it: every one that the run has gets a row.
    measure
        ``robust_gain`` and ``robust_loss`` of accuracy under `attack`, ``clean_kept``: clean
        accuracy falls by less than `margin`, ``clean_loss``, and ``bitops_reduction`` against dense
        networks of `bits`.
    value
        The size claimed as a share, 0.1474 for 14.74 points, or the least and the largest of
        several. A ``robust_loss`` may have none: that there is one.
    margin
        See `measure`.
    attack
        Of any name, with the same parameters; those that are left out have their defaults. Its
        ``norm`` is that of the radius.
    eps
        Radius in the units of a config, on the claim's own data.
    of_main
        On other data: the radius over that at which the run's main table is read.
    against
        What the arms are compared with: the same base with the same further training and no
        injection (``same_training``), or with none (``base``); the last or the best epoch of the
        longest training of the run by the base's method; every other adversarially trained base
        (``baselines``).
    bits
        Dense networks that BitOPs are compared with.
    """

    text: Text
    source: Name
    datasets: Several[Name]
    architectures: Several[Name] | None = None
    training: Several[Name]
    arms: list[Arm] = Field(min_length=1)
    measure: Measure
    value: Share | Annotated[list[Share], Field(min_length=2, max_length=2)] | None = None
    margin: Share | None = None
    attack: Annotated[Ref, BeforeValidator(attack_config.validate), PluginOf("attack")] | None = (
        None
    )
    eps: Annotated[Radius, Field(gt=0)] | None = None
    of_main: Positive = 1.0
    against: Several[Against] | None = None
    bits: Several[Literal["fp32", "fp16", "int8"]] | None = None


class Claims(_Strict):
    """``claims.yaml``.

    Attributes
    ----------
    sources
        The texts, by name.
    claims
        By name.
    """

    sources: dict[Name, Source]
    claims: dict[Name, Claim]
