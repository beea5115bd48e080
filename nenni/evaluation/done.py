"""What was found of a network already, so that evaluation and diagnosis repeat nothing."""

import json
from dataclasses import asdict, dataclass, field

import pandas as pd
from torch import Tensor

from nenni.adversary.attack_choice import AttackChoice
from nenni.core.keyed import content
from nenni.evaluation.attack_images import Table


@dataclass(frozen=True)
class Done:
    """Examples of attacks on one network, under one seed and number of draws.

    Attributes
    ----------
    key : str
        Of all that, see :func:`nenni.evaluation.resume.key_of`.
    tables : dict
        Attack and eps -> examples, their index a hash of what each image shows.
    notes : dict
        Attack and eps -> what should be known about them.
    """

    key: str = ""
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)

    def for_work(self, key: str) -> "Done":
        """The same, to be added to, where it is of this work; else nothing yet."""
        return Done(key, dict(self.tables), dict(self.notes)) if key == self.key else Done(key)

    def keep(
        self,
        name: str,
        attack: AttackChoice,
        eps: float,
        x: Tensor,
        table: Table,
        notes: list[str],
    ) -> None:
        """Remember what an attack found for some images (N, C, H, W)."""
        found = pd.DataFrame(table).set_axis(content(x).tolist(), axis=0)
        called = _name(name, attack, eps)
        known = self.tables.get(called)
        found = found if known is None else pd.concat([known, found])
        self.tables[called] = found[~found.index.duplicated()]
        self.notes[called] = list(dict.fromkeys([*self.notes.get(called, []), *notes]))

    def find(
        self, name: str, attack: AttackChoice, eps: float, x: Tensor, y: Tensor, first: int
    ) -> tuple[Table, list[str]] | None:
        """What an attack found for these images and labels, if it was made for all of them.

        Parameters
        ----------
        name, attack, eps
            As in :meth:`keep`.
        x, y : Tensor
            Images (N, C, H, W) and their classes (N,).
        first : int
            Index of the first of them.
        """
        called, wanted = _name(name, attack, eps), content(x).tolist()
        known = self.tables.get(called)
        if known is None or not set(wanted) <= set(known.index):
            return None
        found = known.loc[wanted]
        if found["label"].tolist() != y.tolist():
            return None
        table: Table = found.to_dict("list")
        return table | {"index": [*range(first, first + len(y))]}, self.notes[called]


def _name(name: str, attack: AttackChoice, eps: float) -> str:
    """The draws of an attack depend on its name, so it is another attack under another one."""
    return json.dumps([name, asdict(attack), eps], sort_keys=True)
