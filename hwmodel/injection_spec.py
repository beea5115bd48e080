"""The part of ``layers.json`` that describes the injection into one layer."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, ValidationInfo, field_validator

from hwmodel.validation import StrictModel

Bits = Literal[2, 3, 4, 5, 6, 7, 8, 16, 32]
Projection = Literal["sparse", "tap_shared", "gaussian", "count_sketch"]
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
NonNegativeInt = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Injection(StrictModel):
    """The cheap approximation of a layer and the choice of its essential neurons.

    Attributes
    ----------
    projection
        Kind of P.
    k
        Rows of P, per group. For ``tap_shared``, ``k_c`` times the kernel's area.
    k_c
        Channels that ``tap_shared`` projects to, per group; null for the other kinds.
    nonzeros
        Non-zeros that P really has, per group; for ``tap_shared`` those of its ``k_c`` x channels
        matrix.
    weight_bits, input_bits, projected_bits
        Bits of W~, Q_a(x) and Q_p(P Q_a(x)); 32 means not rounded.
    selection
        How essential neurons are chosen.
    fraction
        Nominal share of essential neurons.
    measured_fraction
        Share of neurons computed exactly, measured on real masks: the share the cost uses.
    n_m
        N and M of an N:M selection; null for the others.
    normalise
        Whether the score is z~ scaled and shifted per channel, in a copy of its own.
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
    n_m: tuple[NonNegativeInt, PositiveInt] | None = Field(default=None, validate_default=True)
    normalise: bool = False

    @field_validator("k_c")
    @classmethod
    def _only_for_tap_shared(cls, k_c: int | None, info: ValidationInfo) -> int | None:
        wanted = info.data.get("projection") == "tap_shared"
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
