"""Random numbers from a hash of keys: they depend on no batch, order, device or earlier draw."""

import math
from functools import cached_property

import torch
from torch import Tensor

_SPREAD = -0x61C8864680B583EB
"""2^64 over the golden ratio, as a signed number: it keeps neighbouring counts far apart."""

_MANTISSA = {torch.float16: 11, torch.bfloat16: 8, torch.float32: 24, torch.float64: 53}
"""Bits that a number below 1 of each type can tell apart."""


class Keyed:
    """One stream of random numbers per image, from a hash of a key and of where it is used.

    Nothing is used up: the same stream gives the same numbers, so each use takes a stream of its
    own, :meth:`at` a number. A hash is dozens of small operations, and waits until it is asked for.

    Parameters
    ----------
    keys : Tensor
        One per image, (N,) of int64; or several, (N, K), see :meth:`each`.
    dtype : dtype
        Of the numbers.
    offset : int, Tensor or None
        Added to the keys, which are then hashed; None leaves them as they are.
    """

    def __init__(
        self, keys: Tensor, dtype: torch.dtype, offset: int | Tensor | None = None
    ) -> None:
        self._keys, self.dtype, self._offset = keys, dtype, offset

    @cached_property
    def keys(self) -> Tensor:
        """One per image, (N,), or several, (N, K)."""
        return self._keys if self._offset is None else _mixed(self._keys + self._offset)

    @classmethod
    def by_content(cls, images: Tensor, generator: torch.Generator) -> "Keyed":
        """Streams of images (N, ...) by what they show, and the generator's next number.

        An image has the same stream in any batch, at any place of it.
        """
        seed = torch.randint(2**62, (), generator=generator, device=generator.device)
        shown = content(images)
        return cls(_mixed(shown + seed.to(shown)), images.dtype)

    def of(self, rows: Tensor) -> "Keyed":
        """The streams of some of the images."""
        return Keyed(self.keys[rows], self.dtype)

    def at(self, number: int) -> "Keyed":
        """Streams of one's own for a step, a restart, a sample."""
        return Keyed(self.keys, self.dtype, _offset(number))

    def each(self, numbers: range) -> "Keyed":
        """The streams at each of K numbers: what they give is (N, K, *shape)."""
        offsets = torch.tensor([_offset(number) for number in numbers], device=self.keys.device)
        return Keyed(self.keys[..., None], self.dtype, offsets)

    def uniform(self, *shape: int) -> Tensor:
        """Numbers from 0 to below 1, (N, *shape)."""
        bits = _MANTISSA[self.dtype]
        drawn: Tensor = self._hashed(shape, bits).to(torch.float64) / 2**bits
        return drawn.to(self.dtype)

    def integers(self, stop: int | Tensor, *shape: int) -> Tensor:
        """Whole numbers from 0 to stop - 1, (N, *shape); one stop for all, or one for each."""
        drawn: Tensor = self._hashed(shape, 53) % stop
        return drawn

    def signs(self, *shape: int) -> Tensor:
        """-1 or +1, (N, *shape)."""
        return (2 * self._hashed(shape, 1) - 1).to(self.dtype)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers, (N, *shape)."""
        inside = (self._hashed(shape, 23).to(torch.float32) + 0.5) / 2**23
        return (math.sqrt(2) * torch.erfinv(2 * inside - 1)).to(self.dtype)

    def _hashed(self, shape: tuple[int, ...], bits: int) -> Tensor:
        """So many of the upper bits of a hash of each key and place."""
        places = torch.arange(math.prod(shape), device=self.keys.device)
        mixed = _mixed(self.keys[..., None] + _SPREAD * (places + 1))
        return _shifted(mixed, 64 - bits).view(*self.keys.shape, *shape)


def content(images: Tensor) -> Tensor:
    """A hash of what each image (N, ...) shows, (N,) of int64."""
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}[images.element_size()]
    bits = images.detach().flatten(1).contiguous().view(whole).to(torch.int64)
    places = torch.arange(bits.shape[1], device=bits.device)
    hashed: Tensor = _mixed(bits + _SPREAD * places).sum(1)
    return hashed


def _offset(number: int) -> int:
    return (number + 1) * _SPREAD % 2**63


def _shifted(x: Tensor, by: int) -> Tensor:
    """Bits moved down, zeros from above."""
    return (x >> by) & ((1 << (64 - by)) - 1)


def _mixed(x: Tensor) -> Tensor:
    """Each bit of the result depends on each of the input (int64, which wraps around).

    Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014, the function
    mix64 of SplitMix, with the constants of Stafford's variant 13.
    """
    x = (x ^ _shifted(x, 30)) * -0x40A7B892E31B1A47
    x = (x ^ _shifted(x, 27)) * -0x6B2FB644ECCEEE15
    return x ^ _shifted(x, 31)
