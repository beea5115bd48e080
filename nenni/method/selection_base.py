"""What a selection is, and what most have in common."""

from typing import ClassVar, Protocol

import torch
from torch import Tensor


class Selection(Protocol):
    """Chooses the essential neurons; see :mod:`nenni.method.selection`."""

    @property
    def randomised(self) -> bool:
        """Whether two calls on the same score differ."""

    @property
    def judges_exact(self) -> bool:
        """Whether the score is made from the exact z, which no cheap defence knows."""

    @property
    def calibrated(self) -> bool:
        """Whether scores come less a threshold of the layer, above which its fraction lies."""

    def mask(self, score: Tensor, generator: torch.Generator) -> Tensor:
        """Boolean mask of the shape of `score`."""

    def margin(self, score: Tensor, mask: Tensor) -> Tensor | None:
        """How far each score is from changing sides, positive in the mask; None if it never is."""

    def nominal(self) -> float:
        """Fraction aimed at."""


class Deterministic:
    """No draws, judged on z~, without a calibrated threshold."""

    randomised: ClassVar[bool] = False
    judges_exact: ClassVar[bool] = False
    calibrated: ClassVar[bool] = False
