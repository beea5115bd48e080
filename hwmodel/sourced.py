"""Constants that say where they come from, as presets and energy tables hold them."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator

from hwmodel.errors import UserError
from hwmodel.validation import StrictModel, describe, inconsistent

Tag = Literal["measured", "data sheet", "assumed", "chosen"]
"""``assumed`` of what is so or not in some hardware, ``chosen`` of a design that is made up."""
Seen = Literal["document", "quotation"]
Text = Annotated[str, Field(min_length=1)]
LEAST, LARGEST = 1e-18, 1e18
"""Of a constant, so that what is made from it is finite."""
_DEEPEST = 20
"""Dots of a key; those of constants have one."""
Table = TypeVar("Table", bound=StrictModel)


class Sourced(StrictModel):
    """The kind of evidence for a constant, and one line that cites or explains it.

    Attributes
    ----------
    tag
        Which kind.
    seen
        What was read when the line was written: the place in the document that it cites, or a
        quotation of that by others; null (default): neither, or no document is cited.
    source
        The line.
    """

    tag: Tag
    seen: Seen | None = None
    source: Text


class Ranged(Sourced):
    """A number, and the range in which it may be; both ends or none (default)."""

    value: float
    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _within(self) -> Self:
        if self.low is None and self.high is None:
            return self
        if self.low is None or self.high is None:
            key = "low" if self.low is None else "high"
            raise inconsistent((key,), None, "should be given with the other end of the range")
        if not self.low <= self.value <= self.high:
            got = [self.low, self.high]
            raise inconsistent(("low",), got, f"should be a range that holds {self.value:g}")
        return self


class Constant(Ranged):
    """A number within bounds far beyond any hardware's: see `LEAST` and `LARGEST`."""

    value: Annotated[float, Field(ge=LEAST, le=LARGEST)]
    low: Annotated[float, Field(ge=LEAST, le=LARGEST)] | None = None
    high: Annotated[float, Field(ge=LEAST, le=LARGEST)] | None = None


class Share(Ranged):
    """A share between 0 and 1, such as a utilisation."""

    value: Annotated[float, Field(ge=LEAST, le=1)]
    low: Annotated[float, Field(ge=LEAST, le=1)] | None = None
    high: Annotated[float, Field(ge=LEAST, le=1)] | None = None


class Count(Ranged):
    """A whole number."""

    value: Annotated[int, Field(ge=1, le=10**7)]
    low: Annotated[int, Field(ge=1, le=10**7)] | None = None
    high: Annotated[int, Field(ge=1, le=10**7)] | None = None


class Flag(Sourced):
    """A yes or no.

    Attributes
    ----------
    value
        Which.
    unsure
        Whether it may be the other.
    """

    value: bool
    unsure: bool = False


def constants(
    model: StrictModel, prefix: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Sourced]]:
    """All that a table holds and that says where it comes from, by its key."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        held = value.items() if isinstance(value, dict) else [("", value)]
        for key, part in held:
            path = (*prefix, name, *([key] if key else []))
            if isinstance(part, Sourced):
                yield path, part
            elif isinstance(part, StrictModel):
                yield from constants(part, path)


def from_data_sheet(value: float, source: str) -> dict[str, object]:
    """A constant as a table has it, of a number in the file of another tool; at least `LEAST`."""
    return {"value": max(LEAST, value), "tag": "data sheet", "source": source}


def read_table(path: Path, kind: type[Table], refuse: type[UserError]) -> Table:
    """Read a TOML file of sourced constants.

    Parameters
    ----------
    path
        The file.
    kind
        What it holds.
    refuse
        The error to raise, with the file and the first missing or faulty key.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if any(line.partition("=")[0].count(".") > _DEEPEST for line in text.splitlines()):
            raise RecursionError  # which tomllib would take long to find
        return kind.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise refuse(f"{path.name}: {describe(error)}") from None
    except ValueError as error:
        raise refuse(f"{path.name}: is not TOML: {error}") from None
    except RecursionError:
        raise refuse(f"{path.name}: is nested too deeply for a table of constants") from None
    except OSError as error:
        raise refuse(f"{path}: cannot be read: {error.strerror}") from None
