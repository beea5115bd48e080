"""The random numbers of one layer."""

import torch


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

    def index(self, count: int, device: torch.device) -> int:
        """One of 0 to count - 1; nothing is drawn where there is no choice."""
        if count == 1:
            return 0
        return int(torch.randint(count, (), generator=self.on(device), device=device))
