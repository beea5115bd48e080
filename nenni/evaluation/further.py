"""Which attacks follow a suite: what they hang on, of all images, and these images once more."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile

import pandas as pd
import torch
from torch import Tensor

from nenni.core.keyed import content
from nenni.evaluation.scoring import least

_BY_CHANCE = 0.01
"""Share of the images that one more attack breaks on honest networks, or one image."""
_FEW = 32
"""Images by which the gradient is checked."""


class Seen:
    """Images that were attacked, known again by what they show."""

    def __init__(self) -> None:
        self._count = 0
        self._places: dict[int, list[int]] = {}
        self._few: tuple[Tensor, Tensor] | None = None

    def __len__(self) -> int:
        """Their number."""
        return self._count

    @property
    def few(self) -> tuple[Tensor, Tensor]:
        """A few of them and their classes, drawn by what they show, whatever their order.

        Where sizes differ, of the size of the first.
        """
        assert self._few is not None
        return self._few

    def add(self, x: Tensor, y: Tensor) -> None:
        """Take the next images (N, C, H, W) and their classes (N,)."""
        keys = _keys(x, y).tolist()
        for place, key in enumerate(keys, self._count):
            self._places.setdefault(key, []).append(place)
        self._count += len(keys)
        if self._few is not None:
            if x.shape[1:] != self._few[0].shape[1:]:
                return
            x, y = torch.cat([self._few[0], x]), torch.cat([self._few[1], y])
        chosen = _keys(x, y).argsort()[:_FEW]
        self._few = x[chosen], y[chosen]

    def again(
        self, batches: Iterable[tuple[Tensor, Tensor]]
    ) -> Iterator[tuple[Tensor, Tensor, list[int]]]:
        """Those of a second pass that were added and not yet met, and the place of each.

        It ends with the last that is found.
        """
        places = {key: iter(found) for key, found in self._places.items()}
        missing = self._count
        for x, y in batches:
            met = [next(places.get(key, iter(())), None) for key in _keys(x, y).tolist()]
            rows = [place for place in met if place is not None]
            if len(rows) < len(met):
                known = torch.tensor([place is not None for place in met], device=y.device)
                x, y = x[known], y[known]
            if rows:
                yield x, y, rows
            missing -= len(rows)
            if not missing:
                return


def _keys(x: Tensor, y: Tensor) -> Tensor:
    """One number for each image and its class, (N,)."""
    return content(x) + y


def breaks_more(tables: Mapping[str, pd.DataFrame], name: str | None) -> bool:
    """Whether an attack broke more than a few images that those before it did not.

    Parameters
    ----------
    tables : mapping
        Attack -> examples of all images, in the order in which the attacks were made.
    name : str or None
        Which attack.
    """
    if name is None or name not in tables:
        return False
    before = [*takewhile(lambda attack: attack != name, tables)]
    if not any(tables[attack]["backwards"].sum() for attack in before):
        return False
    others = least(tables[attack] for attack in before)
    more = (others > 0.5) & (least([tables[name]]) < 0.5)
    return int(more.sum()) > max(1, _BY_CHANCE * len(more))
