"""The random numbers of one layer."""

import torch
from torch import Tensor


class Draws:
    """Source of a layer's random numbers, on the layer's device; no part of its state.

    It starts from seed 0, and from its seed again on another device.
    """

    def __init__(self) -> None:
        self._generator = torch.Generator().manual_seed(0)

    def seed(self, seed: int) -> None:
        """Start again from a seed."""
        self._generator.manual_seed(seed)

    def on(self, device: torch.device) -> torch.Generator:
        """The generator, on the device where something is drawn."""
        if self._generator.device != device:
            seed = self._generator.initial_seed()
            self._generator = torch.Generator(device).manual_seed(seed)
        return self._generator

    def indices(self, count: int, samples: int, device: torch.device) -> Tensor:
        """One of 0 to count - 1 for each sample, (N,)."""
        return torch.randint(count, (samples,), generator=self.on(device), device=device)
