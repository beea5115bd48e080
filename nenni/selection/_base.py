"""What most selections have in common."""

from typing import ClassVar


class Deterministic:
    """No draws, judged on z~, without a calibrated threshold."""

    randomised: ClassVar[bool] = False
    judges_exact: ClassVar[bool] = False
    calibrated: ClassVar[bool] = False
