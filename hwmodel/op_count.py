"""Operations of each term of a layer, for one input.

Every function returns counts over all groups. Counts are exact where ``layers.json`` records what
really is (non-zeros of P, masks), else expectations, as each function states. Source unless noted:
the NENNI cost protocol. Biases, batch norms, activations and pooling cost the same on both sides
and are left out, as are the exact path's own quantisers, which a dense INT8 network needs too.
"""

from dataclasses import dataclass
from math import comb

from hwmodel.injection_spec import Injection
from hwmodel.layer_spec import Layer
from hwmodel.product import projection_product

_QUICKSELECT_COMPARISONS = 3
"""Comparisons a neuron costs in quickselect, about (Hoare's FIND; between 2 and 3.4 expected)."""


@dataclass(frozen=True, slots=True)
class Operations:
    """How many operations of each kind a term needs.

    Attributes
    ----------
    macs
        Multiply-accumulates.
    additions, comparisons, roundings
        Single operations.
    mask_bits
        Bits written to the mask of essential neurons.
    """

    macs: float = 0
    additions: float = 0
    comparisons: float = 0
    roundings: float = 0
    mask_bits: float = 0


def dense_macs(layer: Layer) -> int:
    """MACs of the layer without injection: M n d."""
    return layer.M * layer.n * layer.d


def needs_approximation(injection: Injection) -> bool:
    """Whether z~, and with it P, W~ and their roundings, must be computed at all.

    It must where the selection judges it or non-essential neurons get it. ``random``, ``all`` and
    ``none`` judge nothing and the ``oracle`` judges the exact z; ``gaussian``, ``uniform`` and
    ``zero`` noise do without it, and with ``all`` no neuron gets any noise. So ``random`` with
    ``zero`` needs neither P nor W~, and ``all`` nothing but the exact part.
    """
    is_judged = injection.selection not in ("oracle", "random", "all", "none")
    is_injected = injection.noise in ("approximation", "resample") and injection.selection != "all"
    return is_judged or is_injected


def adds_noise(injection: Injection) -> bool:
    """Whether noise is added to the exact values of non-essential neurons."""
    return injection.noise in ("gaussian", "uniform")


def sparse_additions(layer: Layer, injection: Injection) -> int:
    """Additions of a sparse ternary P: M times its non-zeros."""
    return layer.M * injection.nonzeros * layer.groups


def tap_shared_additions(layer: Layer, injection: Injection) -> int:
    """Additions of a P on channels alone, whose result all kernel taps share.

    Each input position that is read is projected once: their number times the non-zeros.
    """
    return layer.input_positions * injection.nonzeros * layer.groups


def count_sketch_additions(layer: Layer) -> int:
    """Additions of a count sketch, one for each input of a patch: M d."""
    return layer.M * layer.d * layer.groups


def projection(layer: Layer, injection: Injection) -> Operations:
    """Operations of P x, by the kind of P; none where z~ is not needed."""
    if not needs_approximation(injection):
        return Operations()
    match injection.projection:
        case "sparse":
            return Operations(additions=sparse_additions(layer, injection))
        case "tap_shared":
            return Operations(additions=tap_shared_additions(layer, injection))
        case "gaussian" | "tap_shared_pca":
            return Operations(macs=projection_product(layer, injection).macs)
        case "count_sketch":
            return Operations(additions=count_sketch_additions(layer))


def approximation(layer: Layer, injection: Injection) -> Operations:
    """Operations of W~ times the projected inputs: M n k MACs, none where z~ is not needed."""
    if not needs_approximation(injection):
        return Operations()
    return Operations(macs=layer.M * layer.n * injection.k)


def projected_values(layer: Layer, injection: Injection) -> int:
    """Numbers that the projection yields: M k, or k_c at each input position if tap-shared."""
    if injection.k_c is not None:
        return layer.input_positions * injection.k_c * layer.groups
    return layer.M * injection.k * layer.groups


def input_values(layer: Layer) -> int:
    """Input numbers that the layer reads: C_in at each position it reads."""
    return layer.in_channels * layer.input_positions


def input_roundings(layer: Layer, injection: Injection, exact_bits: int) -> int:
    """Count Q_a, once per input number, not at all where the exact path's inputs are as coarse.

    Nor where z~ is not needed. The protocol's table leaves Q_a out; it is counted here so that no
    step goes uncounted.
    """
    is_rounded = needs_approximation(injection) and injection.input_bits < exact_bits
    return input_values(layer) if is_rounded else 0


def projected_roundings(layer: Layer, injection: Injection, sum_bits: int) -> int:
    """Count Q_p, once per projected number, not at all where the sums are as narrow.

    Nor where z~ is not needed.
    """
    is_rounded = needs_approximation(injection) and injection.projected_bits < sum_bits
    return projected_values(layer, injection) if is_rounded else 0


def exact_fraction(injection: Injection) -> float:
    """Share of neurons whose exact value must be computed.

    The measured share of the masks; 1 for the ``oracle``, which judges exact values of all neurons
    before it knows which of them are essential, and for noise that is added to exact values.
    """
    computes_all = injection.selection == "oracle" or adds_noise(injection)
    return 1.0 if computes_all else injection.measured_fraction


def selection(layer: Layer, injection: Injection, score_bits: int) -> Operations:
    """Operations that decide which neurons are essential.

    Top-k by quickselect takes about 3 comparisons a neuron, by bisection one for each of the
    `score_bits`, whose counts of neurons above are neglected; inverting its mask takes none. N:M
    compares all pairs of a group, (M - 1) / 2 a neuron; a threshold 1. Blocks and channels add each
    neuron to its block's score; the top-k over these few scores is neglected, as is drawing a
    ``random`` mask. A normalised score is a scaled and shifted copy of z~: one MAC a neuron.
    """
    neurons = layer.M * layer.n
    scaled = neurons if injection.normalise else 0
    match injection.selection:
        case "topk" | "inverted" | "oracle":
            bisects = injection.algorithm == "bisection"
            each = score_bits if bisects else _QUICKSELECT_COMPARISONS
            return Operations(macs=scaled, comparisons=each * neurons)
        case "threshold":
            return Operations(macs=scaled, comparisons=neurons)
        case "n_m":
            assert injection.n_m is not None
            return Operations(macs=scaled, comparisons=layer.M * _pairs(layer.n, injection.n_m[1]))
        case "block" | "channel":
            return Operations(macs=scaled, additions=neurons)
        case "random" | "all" | "none":
            return Operations()


def _pairs(neurons: int, group: int) -> int:
    """Pairs within groups of so many neighbours, of which the last may be smaller."""
    groups, rest = divmod(neurons, group)
    return groups * comb(group, 2) + comb(rest, 2)


def exact_part(layer: Layer, injection: Injection) -> Operations:
    """Operations of the essential neurons' dot products: f M n d MACs."""
    return Operations(macs=exact_fraction(injection) * dense_macs(layer))


def noise(layer: Layer, injection: Injection) -> Operations:
    """Operations that put noise on exact values: (1 - f) M n additions, none for other noise.

    Drawing and scaling the random numbers is neglected, to the advantage of these controls.
    """
    if not adds_noise(injection):
        return Operations()
    return Operations(additions=(1 - injection.measured_fraction) * layer.M * layer.n)


def mask(layer: Layer, injection: Injection) -> Operations:
    """Bits of the mask: M n, none where all neurons are treated alike.

    An upper bound for blocks and channels, which could share a bit.
    """
    if injection.selection in ("all", "none"):
        return Operations()
    return Operations(mask_bits=layer.M * layer.n)
