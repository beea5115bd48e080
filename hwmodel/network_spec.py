"""The input: ``layers.json``, version 5, one entry per convolution or matrix product."""

import json
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator

from hwmodel import version_2
from hwmodel.errors import UserError
from hwmodel.injection_spec import Size
from hwmodel.layer_spec import Layer, Name
from hwmodel.validation import StrictModel, describe, inconsistent

VERSION = 5
"""Of the format of ``layers.json``."""
_READ = (3, 4, VERSION)
"""Versions that are read as they are: what 4 and 5 added, files before do without. For 2 see
`hwmodel.version_2`."""


class LayerSpecError(UserError):
    """A ``layers.json`` that cannot be used; the message names the file and the field."""


class Uncounted(StrictModel):
    """Something that the network computes with its parameters and that no layer stands for.

    Attributes
    ----------
    name
        Of the module.
    operator
        What it computes.
    """

    name: str
    operator: Name


class Network(StrictModel):
    """A whole ``layers.json``.

    Attributes
    ----------
    version
        Of the format: 5; 4, which had no defence but injections; or 3, which had no more axes than
        two, paddings alike on both sides, no transposed convolutions, images alone as inputs and
        nothing ``uncounted``. What is read is of 5.
    model
        Free text.
    input_shape
        Of one input, such as channels, height and width, or tokens.
    layers
        In order of execution.
    uncounted
        What reads parameters and is in no count; empty (default) if nothing does.
    assumed
        Whether the injections are `hwmodel.injected`'s, of which nothing was ever evaluated.
    """

    version: int
    model: str
    input_shape: Annotated[tuple[Size, ...], Field(min_length=1)]
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]
    uncounted: tuple[Uncounted, ...] = ()
    assumed: bool = False

    @field_validator("version")
    @classmethod
    def _known(cls, version: int) -> int:
        if version not in _READ:
            raise ValueError(f"should be {VERSION} (describe the network again)")
        return VERSION

    @field_validator("layers")
    @classmethod
    def _unique_names(cls, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
        seen: set[str] = set()
        for index, layer in enumerate(layers):
            if layer.name in seen:
                raise inconsistent((index, "name"), layer.name, "should be unique")
            seen.add(layer.name)
        return layers

    @classmethod
    def parse(cls, text: bytes, file: str) -> Self:
        """Parse the content of a file.

        Parameters
        ----------
        text
            JSON in UTF-8.
        file
            Its name, for messages.

        Raises
        ------
        LayerSpecError
            With the file and the first faulty field.
        """
        if not text.strip():
            raise LayerSpecError(f"{file}: is empty")
        try:
            return cls.model_validate_json(_of_today(text))
        except ValidationError as error:
            raise LayerSpecError(f"{file}: {describe(error)}") from None
        except UserError as error:
            raise LayerSpecError(f"{file}: {error}") from None
        except RecursionError:
            raise LayerSpecError(f"{file}: is nested too deeply for a description") from None


def _of_today(text: bytes) -> bytes:
    """The content of a file in version 3 if it is of version 2, else as it is.

    Raises
    ------
    UserError
        If an object has a key twice, of which readers of JSON silently take the last.
    """
    try:
        data = json.loads(text, object_pairs_hook=_object)
    except UserError:
        raise
    except ValueError:
        return text
    if not isinstance(data, dict) or data.get("version") != version_2.VERSION:
        return text
    data["version"] = version_2.FOLLOWS
    layers = data.get("layers")
    injections = [
        layer.pop("injection", None) if isinstance(layer, dict) else None
        for layer in (layers if isinstance(layers, list) else ())
    ]
    sizes = Network.model_validate_json(json.dumps(data)).layers
    for index, (layer, injection) in enumerate(zip(sizes, injections, strict=True)):
        if isinstance(injection, dict):
            channels = layer.in_channels // layer.groups
            try:
                injection = version_2.translated(injection, channels, layer.d, layer.n)
            except UserError as error:
                raise UserError(f"layers[{index}].injection.{error}") from None
        data["layers"][index]["injection"] = injection
    return json.dumps(data).encode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"has the key {json.dumps(twice)} twice in one object")
    return found


def load(path: str | Path) -> Network:
    """Read ``layers.json``, of version 5, 4, 3 or 2.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Network
        Checked in itself: sizes follow from each other, P fits its layer.

    Raises
    ------
    LayerSpecError
        If it is missing, empty, not JSON, or breaks the schema.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise LayerSpecError(f"{path}: cannot be read: {error.strerror}") from None
    return Network.parse(text, str(path))
