"""The part of ``layers.json`` that describes the injection into one layer."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, ValidationInfo, field_validator

from hwmodel.validation import StrictModel

Bits = Literal[2, 3, 4, 5, 6, 7, 8, 16, 32]
Projection = Literal["sparse", "tap_shared", "tap_shared_pca", "gaussian", "count_sketch"]
Selection = Literal[
    "topk",
    "threshold",
    "n_m",
    "block",
    "channel",
    "random",
    "inverted",
    "oracle",
    "all",
    "none",
]
RANKED = ("topk", "inverted", "oracle")
"""Selections that rank all neurons of an input."""
Algorithm = Literal["quickselect", "bisection"]
Noise = Literal["approximation", "gaussian", "uniform", "zero", "resample"]
NonNegativeInt = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Injection(StrictModel):
    """A layer's cheap approximation, the choice of its essential neurons and the others' noise.

    Attributes
    ----------
    projection
        Kind of P. ``tap_shared_pca`` is a ``tap_shared`` one of real numbers, learned by PCA.
    k
        Rows of P, per group. For the tap-shared kinds, ``k_c`` times the kernel's area.
    k_c
        Channels that a tap-shared P projects to, per group; null for the other kinds.
    nonzeros
        Non-zeros that P really has, per group; for the tap-shared kinds those of the ``k_c`` x
        channels matrix; of a pool, the rounded mean over its members.
    weight_bits, input_bits, projected_bits
        Bits of W~, Q_a(x) and Q_p(P Q_a(x)); 32 means not rounded.
    selection
        How essential neurons are chosen.
    fraction
        Nominal share of essential neurons.
    measured_fraction
        Share of neurons computed exactly, measured on real masks: the share the cost uses.
    occupancy
        Measured share of tiles with an essential neuron, by their size: so many neighbouring
        channels at one position, as ``{"16": 0.97}``. Sizes that are not there (default) follow
        from the fraction under assumptions: see `hwmodel.granularity`.
    n_m
        N and M of an N:M selection; null for the others.
    normalise
        Whether the score is z~ scaled and shifted per channel, in a copy of its own.
    noise
        What non-essential neurons get. ``approximation`` (default): z~. ``resample``: the z~ of one
        member of a pool, drawn for each inference. ``zero``: 0. ``gaussian`` and ``uniform``: z
        plus random noise, for which z is computed for all neurons: controls that save nothing.
    pool
        Approximations, each with a P and a W~ of its own, that ``resample`` draws from; 1 (default)
        for the other kinds. An inference reads and computes one of them, so no count of operations
        or bytes moved depends on it; all must be stored, and storage is not modelled.
    block
        Neighbouring channels and positions of a tile of a ``block`` selection; null (default) for
        the others.
    algorithm
        How a selection that ranks its neurons finds the k-th score: ``quickselect`` (default), or
        ``bisection``, a pass over all scores for each of their bits, which needs no data moved.
        Null for the others.
    """

    projection: Projection
    k: PositiveInt
    k_c: PositiveInt | None = Field(default=None, validate_default=True)
    nonzeros: NonNegativeInt
    weight_bits: Bits
    input_bits: Bits
    projected_bits: Bits
    selection: Selection
    fraction: Fraction
    measured_fraction: Fraction
    occupancy: dict[Annotated[str, Field(pattern=r"^[1-9][0-9]*$")], Fraction] = Field(
        default_factory=dict
    )
    n_m: tuple[NonNegativeInt, PositiveInt] | None = Field(default=None, validate_default=True)
    normalise: bool = False
    noise: Noise = "approximation"
    pool: PositiveInt = 1
    block: tuple[PositiveInt, PositiveInt] | None = Field(default=None, validate_default=True)
    algorithm: Algorithm | None = Field(default=None, validate_default=True)

    @property
    def real_projection(self) -> bool:
        """Whether P is a dense matrix of real numbers; any other takes additions alone."""
        return self.projection in ("gaussian", "tap_shared_pca")

    @field_validator("k_c")
    @classmethod
    def _only_for_tap_shared(cls, k_c: int | None, info: ValidationInfo) -> int | None:
        wanted = info.data.get("projection") in ("tap_shared", "tap_shared_pca")
        if "projection" in info.data and wanted != (k_c is not None):
            raise ValueError(f"should be {'given' if wanted else 'null'} for this projection")
        return k_c

    @field_validator("measured_fraction")
    @classmethod
    def _of_trivial_masks(cls, share: float, info: ValidationInfo) -> float:
        expected = {"all": 1.0, "none": 0.0}.get(info.data.get("selection", ""), share)
        if share != expected:
            raise ValueError(f"should be {expected} for this selection")
        return share

    @field_validator("n_m")
    @classmethod
    def _only_for_n_m(
        cls, n_m: tuple[int, int] | None, info: ValidationInfo
    ) -> tuple[int, int] | None:
        wanted = info.data.get("selection") == "n_m"
        if "selection" in info.data and wanted != (n_m is not None):
            raise ValueError(f"should be {'given' if wanted else 'null'} for this selection")
        if n_m is not None and n_m[0] > n_m[1]:
            raise ValueError("should be [N, M] with N at most M")
        return n_m

    @field_validator("pool")
    @classmethod
    def _one_unless_resampled(cls, pool: int, info: ValidationInfo) -> int:
        if pool != 1 and info.data.get("noise", "resample") != "resample":
            raise ValueError("should be 1 for this noise")
        return pool

    @field_validator("algorithm")
    @classmethod
    def _only_for_rankings(
        cls, algorithm: Algorithm | None, info: ValidationInfo
    ) -> Algorithm | None:
        if info.data.get("selection") in RANKED:
            return algorithm or "quickselect"
        if "selection" in info.data and algorithm is not None:
            raise ValueError("should be null for this selection")
        return algorithm

    @field_validator("block")
    @classmethod
    def _only_for_block(
        cls, block: tuple[int, int] | None, info: ValidationInfo
    ) -> tuple[int, int] | None:
        wanted = info.data.get("selection") == "block"
        if "selection" in info.data and wanted != (block is not None):
            raise ValueError(f"should be {'given' if wanted else 'null'} for this selection")
        return block
