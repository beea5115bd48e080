"""What a selection is, and what it declares of itself."""

from abc import ABC, abstractmethod
from dataclasses import fields
from typing import ClassVar, Literal

from torch import Tensor

Tile = tuple[int | None, int | None]
"""Neighbouring channels and positions; None: all there are."""


class Selection(ABC):
    """Chooses the essential neurons; see :mod:`nenni.method.selection`.

    What is not declared is taken for a ranking of all neurons of an input by z~, whose masks are
    scattered: the dearest to count, so that no cost is left out unseen.

    Attributes
    ----------
    judges : "approximate", "exact" or "nothing"
        What the score is made from: z~, the exact z, which no cheap defence knows, or neither.
    ranks : bool
        Whether all neurons of an input are ranked. No ranking is counted where nothing is judged.
    randomised : bool
        Whether two calls on the same score differ.
    calibrated : bool
        Whether scores come less a threshold of the layer, above which its fraction lies.
    in_tiles : bool
        Whether neighbouring channels at neighbouring positions are essential or not as a whole, so
        that an order of the channels matters (:func:`nenni.order_channels`).
    """

    judges: ClassVar[Literal["approximate", "exact", "nothing"]] = "approximate"
    ranks: ClassVar[bool] = True
    randomised: ClassVar[bool] = False
    calibrated: ClassVar[bool] = False
    in_tiles: ClassVar[bool] = False

    @abstractmethod
    def mask(self, score: Tensor) -> Tensor:
        """Boolean mask of the shape of `score`."""

    @abstractmethod
    def margin(self, score: Tensor, mask: Tensor) -> Tensor | None:
        """How far each score is from changing sides, positive in the mask; None if it never is."""

    @abstractmethod
    def nominal(self) -> float:
        """Fraction aimed at."""

    def comparisons(self, channels: int) -> int:
        """Comparisons at one position, apart from a ranking."""
        return 0

    def additions(self, channels: int) -> int:
        """Additions at one position, as where the scores of a tile are summed."""
        return 0

    def tile(self) -> Tile:
        """Channels x positions that are essential or not together; single neurons by default."""
        return 1, 1

    def n_of_m(self) -> tuple[int, int] | None:
        """N and M where N of every M neighbouring channels are essential."""
        return None

    @property
    def judges_exact(self) -> bool:
        """Whether the score is made from the exact z."""
        return self.judges == "exact"

    @property
    def adjustable(self) -> bool:
        """Whether another fraction can be had: whether it has a field ``fraction``."""
        return any(f.name == "fraction" for f in fields(self))  # type: ignore[arg-type]
