"""A population of seeds and images whose accuracies are known, for the scripts beside this file."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_SHARED, _OWN = 0.6, 0.1
"""Shares of the variance by how hard an image is: for both networks, and for one of them."""
_NORMAL = NormalDist()
Flags = NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """Networks of two kinds, trained with any number of seeds and asked about any images.

    A network is right about an image where a + b + c + e exceeds a threshold: a normal effect of
    its seed, one of the image, one of the image for networks of its kind, one of seed and image
    together. Their variances add up to 1, so that the threshold gives the accuracy exactly.

    Attributes
    ----------
    accuracy
        Of networks of the first kind, over all seeds and images, in (0, 1).
    gain
        Accuracy of the second kind less that of the first.
    deviation
        Standard deviation of the seeds' accuracies and, as they are independent, over the root of 2
        of each kind's where two are compared.
    """

    accuracy: float
    gain: float
    deviation: float

    def images(self, rng: np.random.Generator, n: int) -> Flags:
        """Draw n images: their effects for both kinds, for the first and the second, (3, n)."""
        scale = np.sqrt([[_SHARED], [_OWN], [_OWN]])
        return scale * rng.standard_normal((3, n))

    def accuracies(self, rng: np.random.Generator, seeds: int, images: Flags) -> Flags:
        """Train and ask networks of the first kind: flags (seeds, n)."""
        return self._right(rng, seeds, images[0] + images[1], self.accuracy, self.deviation)

    def differences(self, rng: np.random.Generator, seeds: int, images: Flags) -> Flags:
        """Train and ask networks of both kinds: flags of the second less those of the first."""
        of_each = self.deviation / np.sqrt(2)
        kinds = ((1, self.accuracy), (2, self.accuracy + self.gain))
        first, second = (
            self._right(rng, seeds, images[0] + images[kind], accuracy, of_each)
            for kind, accuracy in kinds
        )
        return second - first

    @staticmethod
    def _right(
        rng: np.random.Generator, seeds: int, images: Flags, accuracy: float, deviation: float
    ) -> Flags:
        threshold = _NORMAL.inv_cdf(accuracy)
        of_seed = deviation / _NORMAL.pdf(threshold)
        rest = np.sqrt(1 - _SHARED - _OWN - of_seed**2)
        effects = images + of_seed * rng.standard_normal((seeds, 1))
        effects = effects + rest * rng.standard_normal((seeds, images.size))
        return (effects + threshold > 0).astype(float)
