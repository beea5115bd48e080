"""What all parts of a card are made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
"""From 0 to 1."""
Whole = Annotated[int, Field(ge=0)]
"""A whole number of 0 or more."""
Some = Annotated[int, Field(ge=1)]
"""A whole number of 1 or more."""
NotNegative = Annotated[float, Field(ge=0)]
"""A number of 0 or more."""
Checksum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""SHA-256, in hexadecimal."""
Counts = Annotated[str, Field(pattern=r"^\d+( \d+)*$")]
"""Whole numbers parted by spaces, one per image."""
Identifiers = Annotated[str, Field(pattern="^[0-9a-f]{16}( [0-9a-f]{16})*$")]
"""16 hexadecimal digits per image, parted by spaces."""


class Part(BaseModel):
    """A part of a card: no key is unknown, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
