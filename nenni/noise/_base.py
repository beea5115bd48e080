"""What most noises have in common."""

from typing import ClassVar


class Single:
    """No draws, and one approximation of each layer."""

    randomised: ClassVar[bool] = False

    def approximations(self) -> int:
        """One per layer, if only for the selection."""
        return 1
