"""The part of ``layers.json`` that says what a defence other than an injection adds to a layer.

What it costs stands there as numbers, as its own layers declare them: this package knows none by
name.
"""

from hwmodel.injection_spec import Count, Size
from hwmodel.validation import StrictModel


class Defence(StrictModel):
    """What a defence does beside the layer's product, for one input.

    Attributes
    ----------
    name
        For the reader.
    draws
        Random numbers.
    macs, additions, comparisons
        Single operations, at the width of the layer's outputs.
    ranked
        Numbers of an input of which the k-th largest is found, by quickselect.
    stored
        Numbers of 32 bits that are read beside the weights.
    nonzeros
        Weights that are not zero, over all groups; null (default) where none was made so.
    n_of_m
        N and M where at most N of every M neighbouring weights are not zero; null (default)
        otherwise.
    """

    name: str
    draws: Count = 0
    macs: Count = 0
    additions: Count = 0
    comparisons: Count = 0
    ranked: Count = 0
    stored: Count = 0
    nonzeros: Count | None = None
    n_of_m: tuple[Count, Size] | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """All that a cost may hang on, as one value."""
        return (
            self.draws, self.macs, self.additions, self.comparisons, self.ranked, self.stored,
            self.nonzeros, self.n_of_m,
        )  # fmt: skip
