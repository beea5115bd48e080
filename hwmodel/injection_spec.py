"""The part of ``layers.json`` that describes the injection into one layer.

What a projection, a selection or a noise costs stands there as numbers, as its own file declares
them: this package knows none by name.
"""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from hwmodel.validation import StrictModel, inconsistent

Bits = Literal[2, 3, 4, 5, 6, 7, 8, 16, 32]
Algorithm = Literal["quickselect", "bisection"]
Value = Literal["approximate", "exact", "nothing"]
"""z~, the exact z, or neither."""
LARGEST = 10**7
"""Size, far above that of any network: larger ones are taken for mistakes."""
Size = Annotated[int, Field(gt=0, le=LARGEST)]
Count = Annotated[int, Field(ge=0, le=LARGEST**2)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
TileSize = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,6}$")]
_TOLERANCE = 1e-6
"""Of shares that were measured."""


class Projection(StrictModel):
    """How P is made up.

    Attributes
    ----------
    name
        For the reader.
    real
        Whether P is a matrix of real numbers of 32 bits, of which each takes a multiplication. If
        not its entries are 0 and +-1, and each of +-1 takes an addition.
    nonzero_bits
        Bits that store an entry of +-1, such as the index of its column and its sign; null if P is
        real.
    """

    name: str
    real: bool
    nonzero_bits: Size | None = Field(default=None, validate_default=True)

    @field_validator("nonzero_bits")
    @classmethod
    def _unless_real(cls, bits: int | None, info: ValidationInfo) -> int | None:
        wanted = not info.data.get("real", bits is None)
        if wanted != (bits is not None):
            raise ValueError(f"should be {'given' if wanted else 'null'} for this projection")
        return bits


class Tile(StrictModel):
    """Neighbouring neurons that are essential or not together.

    Attributes
    ----------
    channels
        How many at a position; null: all.
    positions
        How many, counted row by row; null: all of an input.
    """

    channels: Size | None = None
    positions: Size | None = None


class Selection(StrictModel):
    """How the essential neurons are chosen, and what that takes.

    Attributes
    ----------
    name
        For the reader.
    judges
        What the scores are made from: ``approximate`` (z~), ``exact`` (the exact z of all neurons)
        or ``nothing``, which costs nothing.
    algorithm
        How the k-th largest score of all neurons of an input is found: ``quickselect``, or
        ``bisection``, a pass over all scores for each of their bits, which needs no data moved.
        Null (default) where nothing is ranked.
    comparisons
        At one position, apart from the ranking, such as the neurons for a threshold.
    additions
        At one position, such as the neurons where each is added to its tile's score.
    tile
        Neurons that are essential or not together: one channel and one position where the mask is
        scattered, a channel and all positions where whole channels are chosen, all of both where an
        input's neurons are all alike.
    n_of_m
        N and M where N of every M neighbouring channels are essential; null (default) otherwise.
    adjustable
        Whether the selection could aim at another fraction. If not, masks have the share that their
        kind gives them, as N of M or all.
    randomised
        Whether it draws. The draws are not counted.
    """

    name: str
    judges: Value
    algorithm: Algorithm | None = None
    comparisons: Count = 0
    additions: Count = 0
    tile: Tile
    n_of_m: tuple[Count, Size] | None = None
    adjustable: bool
    randomised: bool = False

    @field_validator("algorithm")
    @classmethod
    def _of_what_is_judged(
        cls, algorithm: Algorithm | None, info: ValidationInfo
    ) -> Algorithm | None:
        if algorithm is not None and info.data.get("judges") == "nothing":
            raise ValueError("should be null where nothing is judged")
        return algorithm

    @field_validator("n_of_m")
    @classmethod
    def _n_within_m(cls, n_of_m: tuple[int, int] | None) -> tuple[int, int] | None:
        if n_of_m is not None and n_of_m[0] > n_of_m[1]:
            raise ValueError("should be [N, M] with N at most M")
        return n_of_m

    @property
    def treats_alike(self) -> bool:
        """Whether the neurons of an input are all essential, or none of them is."""
        return self.tile.channels is None and self.tile.positions is None

    @property
    def is_trivial(self) -> bool:
        """Whether the same holds for all inputs."""
        return self.treats_alike and not self.adjustable and not self.randomised

    @property
    def waits_for_all(self) -> bool:
        """Whether no neuron of an input is known to be essential before its last score is there.

        A threshold knows with each score, N:M with each group; rankings, of neurons, tiles or
        channels, only with all of them.
        """
        is_single = (self.tile.channels, self.tile.positions) == (1, 1)
        is_threshold = self.algorithm is None and is_single
        return self.judges != "nothing" and self.n_of_m is None and not is_threshold

    @property
    def takes_channels(self) -> bool:
        """Whether a channel is essential at all positions of an input or at none."""
        return self.tile.channels is not None and self.tile.positions is None


class Noise(StrictModel):
    """What non-essential neurons get.

    Attributes
    ----------
    name
        For the reader.
    uses
        ``approximate``: z~ itself. ``exact``: z plus noise, an addition each, for which z is
        computed for all neurons: a control that saves nothing. ``nothing``: zeros, which are
        written.
    pool
        Approximations, each with a P and a W~ of its own, one of which an inference draws; 1
        (default) for a noise that does not. An inference reads and computes one of them, so no
        count of operations or bytes moved depends on it; all must be stored, and storage is not
        modelled.
    randomised
        Whether it draws. The draws are not counted.
    """

    name: str
    uses: Value
    randomised: bool = False
    pool: Size = 1

    @field_validator("pool")
    @classmethod
    def _one_unless_drawn(cls, pool: int, info: ValidationInfo) -> int:
        if pool != 1 and not info.data.get("randomised", True):
            raise ValueError("should be 1 for a noise that draws nothing")
        return pool


class Injection(StrictModel):
    """A layer's cheap approximation, the choice of its essential neurons and the others' noise.

    Attributes
    ----------
    projection
        Of what kind P is: see `Projection`.
    selection
        How the essential neurons are chosen: see `Selection`.
    noise
        What the others get: see `Noise`.
    k
        Rows of P, per group. Where the taps share P, ``k_c`` times the kernel's area.
    k_c
        Channels that P projects to, per group, where it acts on channels alone and all taps of the
        kernel share its result; null (default) where it acts on all inputs of a patch.
    nonzeros
        Non-zeros that P really has, per group; with ``k_c`` those of the ``k_c`` x channels matrix;
        of a pool, the rounded mean over its members.
    weight_bits, input_bits, projected_bits
        Bits of W~, Q_a(x) and Q_p(P Q_a(x)); 32 means not rounded.
    fraction
        Nominal share of essential neurons.
    measured_fraction
        Share of neurons computed exactly, measured on real masks: the share the cost uses.
    occupancy
        Measured share of tiles with an essential neuron, by their size: so many neighbouring
        channels of one group at one position, as ``{"16": 0.97}``, fewer where the group has no
        more; null (default) where none was measured.
        Sizes that are not there follow from the fraction under assumptions: see
        `hwmodel.granularity`.
    loads
        Measured shares of tiles with 0, 1, ... essential neurons, by their size as above; null
        (default) where none were measured. The occupancy of a size follows from them.
    normalise
        Whether the score is z~ scaled and shifted per channel, in a copy of its own.
    """

    projection: Projection
    selection: Selection
    noise: Noise
    k: Size
    k_c: Size | None = None
    nonzeros: Annotated[int, Field(gt=0)]
    weight_bits: Bits
    input_bits: Bits
    projected_bits: Bits
    fraction: Fraction
    measured_fraction: Fraction
    occupancy: Annotated[dict[TileSize, Fraction], Field(min_length=1)] | None = None
    loads: Annotated[dict[TileSize, tuple[Fraction, ...]], Field(min_length=1)] | None = None
    normalise: bool = False

    @field_validator("measured_fraction")
    @classmethod
    def _of_trivial_masks(cls, share: float, info: ValidationInfo) -> float:
        selection, fraction = info.data.get("selection"), info.data.get("fraction", share)
        if selection is not None and selection.is_trivial and share != fraction:
            raise ValueError(f"should be {fraction}, the fraction, for this selection")
        return share

    @field_validator("loads")
    @classmethod
    def _of_all_tiles(
        cls, loads: dict[str, tuple[float, ...]] | None
    ) -> dict[str, tuple[float, ...]] | None:
        for tile, shares in (loads or {}).items():
            if len(shares) != int(tile) + 1:
                expected = f"should be {int(tile) + 1} shares, of tiles with 0 to {tile}"
                raise inconsistent((tile,), len(shares), expected)
            if abs(sum(shares) - 1) > _TOLERANCE:
                raise inconsistent((tile,), sum(shares), "should be shares that add up to 1")
        return loads

    @property
    def occupied(self) -> dict[str, float]:
        """Measured share of tiles with an essential neuron, by their size."""
        of_loads = {tile: 1 - shares[0] for tile, shares in (self.loads or {}).items()}
        return of_loads | (self.occupancy or {})

    @property
    def key(self) -> tuple[object, ...]:
        """All that a cost may hang on, as one value: injections with the same cost the same."""
        occupancy = None if self.occupancy is None else tuple(self.occupancy.items())
        loads = None if self.loads is None else tuple(self.loads.items())
        projection, chosen, noise = self.projection, self.selection, self.noise
        return (
            projection.real, projection.nonzero_bits, chosen.judges, chosen.algorithm,
            chosen.comparisons, chosen.additions, chosen.tile.channels, chosen.tile.positions,
            chosen.n_of_m, chosen.adjustable, chosen.randomised, noise.uses, self.k, self.k_c,
            self.nonzeros, self.weight_bits, self.input_bits, self.projected_bits,
            self.measured_fraction, occupancy, loads, self.normalise,
        )  # fmt: skip

    @property
    def all_exact(self) -> bool:
        """Whether every neuron is essential, by the kind of selection."""
        return self.selection.is_trivial and self.measured_fraction == 1
