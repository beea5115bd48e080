"""What training gives, and what it tells."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from torch import Tensor

Tensors = dict[str, Tensor]

_COLLAPSE = 0.2
"""Loss of robust accuracy within a run that counts as catastrophic overfitting."""


@dataclass(frozen=True)
class Trained:
    """What training gives beside the network itself.

    Attributes
    ----------
    history : DataFrame
        Per epoch: ``rate``, ``eps`` and ``loss``, mean over the images as seen; ``train_seen``,
        accuracy on the images that were trained on, and ``train_clean``, on the first training
        images without augmentation, as many as are validated; ``val_clean`` and ``val_robust``
        (under the recipe's attack).
    seconds : list of float
        Time of each epoch's training steps that this process ran from its start: on a CPU the time
        that it computed, whatever else the machine does, on a GPU that of the clock.
    best : dict
        Weights after the epoch with the highest validation accuracy, robust if there is an attack.
    best_epoch : int
        That epoch, from 1; the first of equals.
    """

    history: pd.DataFrame
    seconds: list[float]
    best: Tensors
    best_epoch: int

    @property
    def summary(self) -> str:
        """The last epoch in a line, and what to beware of."""
        last, epochs = self.history.iloc[-1], int(self.history["epoch"].iloc[-1])
        robust = f", robust {last['val_robust']:.1%}" if "val_robust" in last else ""
        best = f" (best: epoch {self.best_epoch})" if self.best_epoch not in (0, epochs) else ""
        told = f"validation clean {last['val_clean']:.1%}{robust} after {epochs} epochs{best}"
        if self.collapsed is not None:
            told += f"; catastrophic overfitting in epoch {self.collapsed}: use the best epoch"
        return told

    def timing(self, examples: int) -> dict[str, Any]:
        """What is kept of the time, apart from the results."""
        speeds = [examples / seconds for seconds in self.seconds]
        return {
            "seconds_per_epoch": self.seconds, "examples": examples, "examples_per_second": speeds
        }  # fmt: skip

    @property
    def collapsed(self) -> int | None:
        """Epoch of catastrophic overfitting, from 1; None if there was none.

        Robust validation accuracy fell by more than 20 points below its best, and accuracy on the
        training images as seen did not.
        """
        if "val_robust" not in self.history:
            return None
        fall = self.history["val_robust"].cummax() - self.history["val_robust"]
        seen = self.history["train_seen"].cummax() - self.history["train_seen"]
        found = self.history.loc[(fall > _COLLAPSE) & (seen < _COLLAPSE / 2), "epoch"]
        return int(found.iloc[0]) if len(found) else None


def epoch_line(row: dict[str, float], left: str, speed: float | None) -> str:
    """An epoch in a line, for the progress.

    Parameters
    ----------
    row : dict
        Of the history.
    left : str
        How many epochs are done, and the time that is left.
    speed : float or None
        Training images per second, if a whole epoch was timed.
    """
    robust = f", robust {row['val_robust']:.1%}" if "val_robust" in row else ""
    per_second = f"; {speed:.0f} images/s" if speed is not None else ""
    return (
        f"epoch {left}: loss {row['loss']:.4f}, validation clean {row['val_clean']:.1%}"
        f"{robust}{per_second}"
    )
