"""A model in a config: a plugin, or a name with a colon for other people's code.

``torchvision:resnet50`` is short for the plugin ``torchvision`` with the model ``resnet50``, and
``my_module:build`` for the plugin ``function``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from pydantic_core import PydanticCustomError

from nenni.core import settings
from nenni.core.errors import UserError, brief, refusal
from nenni.networks.torchvision_names import classifiers

TORCHVISION = "torchvision:"
"""What names of torchvision's networks and weights begin with in a config."""
_MADE_BY_CODE = r"import \*|__getattr__|\b(?:globals|locals|vars|exec|setattr)\("
"""What may make names that no text shows."""


@dataclass(frozen=True)
class Architecture:
    """What a network is made from; :func:`nenni.networks.build.build` makes it.

    Parameters
    ----------
    model : dict or None
        A checked config; None for a network whose making is not known.
    input_shape : tuple of int or None
        Of one image, (C, H, W).
    n_classes : int or None
        Number of outputs.
    """

    model: Mapping[str, Any] | None = None
    input_shape: tuple[int, ...] | None = None
    n_classes: int | None = None

    @classmethod
    def read(cls, given: "str | Mapping[str, Any] | Architecture", where: str) -> "Architecture":
        """A name, a config or an architecture, checked; `where` names it in errors.

        Raises
        ------
        UserError
            If there is no such model, or it has no such arguments.
        """
        if isinstance(given, Architecture):
            return given if given.model is None else replace(given, model=read(given.model, where))
        return cls(read({"name": given} if isinstance(given, str) else given, where))

    @property
    def own(self) -> str | None:
        """``MODULE:FUNCTION``, where the model is a function of somebody's own."""
        if self.model is None or self.model["name"] != "function":
            return None
        function: str = self.model["function"]
        return function

    @property
    def name(self) -> str | None:
        """Name of the model, for a reader."""
        return None if self.model is None else self.model["name"]

    def check_complete(self) -> None:
        """Refuse what cannot be built.

        Raises
        ------
        UserError
            If there is no model, or it needs a shape or a number of classes that is not known.
        """
        if self.model is None:
            raise UserError("architecture: names no model")
        for key, value in (("input_shape", self.input_shape), ("n_classes", self.n_classes)):
            if value is None and self.own is None:
                raise UserError(
                    f"architecture: the model {self.name} needs its {key}: give "
                    "nenni.networks.architecture.Architecture(model, input_shape, n_classes)"
                )

    def over(self, other: Self) -> "Architecture":
        """The same, with what it leaves open taken from another."""
        return Architecture(
            self.model if self.model is not None else other.model,
            self.input_shape or other.input_shape,
            self.n_classes or other.n_classes,
        )


def validate(value: Any) -> dict[str, Any]:
    """Check a model's config and fill in the defaults; see :func:`nenni.core.settings.validate`."""
    name = value.get("name") if isinstance(value, dict) else None
    if not isinstance(name, str) or ":" not in name:
        return _of_torchvision(settings.validate("model", value))
    long = {"name": "function", "function": name}
    if name.startswith(TORCHVISION):
        long = {"name": "torchvision", "model": name.removeprefix(TORCHVISION)}
    try:
        return _of_torchvision(settings.validate("model", value | long))
    except PydanticCustomError as error:
        said = settings.problems_in(error)
        found = [(("name",) if loc[-1:] == tuple(long)[1:] else loc, what) for loc, what in said]
        raise settings.refusal(found) from None


def _of_torchvision(model: dict[str, Any]) -> dict[str, Any]:
    """The same, if torchvision has such a network, where it has one at all."""
    if model["name"] != "torchvision" or not (known := classifiers()):
        return model
    if (name := model["model"]) not in known:
        near = ", ".join(get_close_matches(name, sorted(known), 5, 0))
        message = f"torchvision has no classifier {brief(name)}; it has: {near} and others"
        raise settings.refusal([(("model",), message)])
    return model


def read(value: Any, where: str) -> dict[str, Any]:
    """What :func:`validate` gives; a mistake is a UserError that begins with `where`."""
    try:
        return validate(value)
    except PydanticCustomError as error:
        found = settings.problems_in(error)
        raise refusal(where, [(("model", *key), said) for key, said in found]) from None


def is_missing(function: str) -> bool:
    """Whether there is no module for ``MODULE:FUNCTION``, here or installed."""
    top = function.partition(":")[0].partition(".")[0]
    here = Path(f"{top}.py").is_file() or Path(top).is_dir()
    return not here and find_spec(top) is None


def lacks(function: str) -> bool:
    """Whether the file for ``MODULE:FUNCTION`` is here and nothing in it could be the function."""
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in files_of(function)]
    name = function.partition(":")[2]
    return bool(texts) and not re.search(rf"\b{name}\b|{_MADE_BY_CODE}", texts[0])


def files_of(function: str) -> list[Path]:
    """Source file of the module in ``MODULE:FUNCTION``, where the working directory has it."""
    file = Path(*function.partition(":")[0].split(".")).with_suffix(".py")
    return [file.resolve()] if file.exists() else []
