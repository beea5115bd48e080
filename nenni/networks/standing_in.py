"""Modules that stand in the place of others."""

from typing import Any

from torch import nn


class StandingIn(nn.Module):
    """A module around another, for which it answers: code of others reads its weight and sizes.

    Attributes
    ----------
    wrapped : Module
        The other.
    """

    wrapped: nn.Module

    def __getattr__(self, name: str) -> Any:
        """What it does not have itself, of the module in whose place it stands."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "wrapped":
                raise
            return getattr(self.wrapped, name)
