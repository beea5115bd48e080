"""What a card says of the cost."""

from typing import Literal

from nenni.cards.schema_part import Part, Whole


class BitOps(Part):
    """Bit operations of one image against a dense network.

    Attributes
    ----------
    baseline
        Bits of the dense network: ``fp32``, ``fp16`` or ``int8``.
    variant
        ``as_evaluated``: exact outputs at the bits that were attacked; ``exact_at_baseline``: at
        the baseline's.
    evaluated
        Whether the accuracy of these bits is the one on this card.
    dense
        Of the baseline.
    without_overheads
        Of this network, exact outputs and approximation alone.
    with_overheads
        Of this network, everything counted.
    """

    baseline: Literal["fp32", "fp16", "int8"]
    variant: Literal["as_evaluated", "exact_at_baseline"]
    evaluated: bool
    dense: float
    without_overheads: float
    with_overheads: float


class Time(Part):
    """Modelled seconds of one image on a platform; null where it does not compute so.

    Attributes
    ----------
    platform
        A preset of the cost model.
    dense_fp32
        Of the dense network in FP32.
    dense_fp16
        The same in FP16.
    dense_int8
        The same in INT8.
    network
        Of this one.
    """

    platform: str
    dense_fp32: float | None
    dense_fp16: float | None
    dense_int8: float | None
    network: float | None


class Energy(Part):
    """Modelled picojoules of one image on a platform.

    Attributes
    ----------
    platform
        A preset of the cost model.
    bits
        Of the exact outputs.
    evaluated
        Whether the accuracy of these bits is the one on this card.
    dense
        Of the dense network at these bits.
    network
        Of this one.
    """

    platform: str
    bits: Whole
    evaluated: bool
    dense: float
    network: float


class Cost(Part):
    """What the network costs: counted and modelled, never measured.

    Attributes
    ----------
    convention
        How it is counted.
    metric
        What a multiplication counts in BitOPs: ``product`` of the bits of both factors.
    terms
        BitOPs of one image by what they are spent on.
    bitops
        The sum, against dense networks.
    times
        Modelled times on some platforms.
    energies
        Modelled energies.
    """

    convention: str
    metric: str
    terms: dict[str, float]
    bitops: list[BitOps]
    times: list[Time]
    energies: list[Energy]
