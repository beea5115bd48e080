"""Operations of each term of a layer, for one input.

Every function returns counts over all groups. Counts are exact where ``layers.json`` records what
really is (non-zeros of P, masks), else expectations, as each function states. Source unless noted:
the NENNI cost protocol. Biases, batch norms, activations and pooling cost the same on both sides
and are left out, as are the exact path's own quantisers, which a dense INT8 network needs too.
"""

from dataclasses import dataclass

from hwmodel.defence_spec import Defence
from hwmodel.injection_spec import Injection
from hwmodel.layer_spec import Layer
from hwmodel.product import projection_product

_DRAW_ADDITIONS = 3
"""Additions of 32 bits that a random number costs: the exclusive ors of a shift-register generator
(Marsaglia, Xorshift RNGs, Journal of Statistical Software 8(14), 2003); shifts are wires. Normal
numbers are made from others for about as much: 7 additions for 4 of them (Wallace, Fast
pseudorandom generators for normal and exponential variates, ACM TOMS 22(1), 1996)."""
_QUICKSELECT_COMPARISONS = 3
"""Comparisons a neuron costs in quickselect, about (Hoare's FIND; between 2 and 3.4 expected).

Each looks at another score: it passes over the scores about as often."""


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

    It must where the selection judges it or non-essential neurons get it. Where all neurons are
    essential by the kind of selection, none gets any.
    """
    is_judged = injection.selection.judges == "approximate"
    return is_judged or (injection.noise.uses == "approximate" and not injection.all_exact)


def adds_noise(injection: Injection) -> bool:
    """Whether noise is added to the exact values of non-essential neurons."""
    return injection.noise.uses == "exact"


def projected_positions(layer: Layer, injection: Injection) -> int:
    """How often P is applied: at each output position, or once at each input position read.

    The latter where P acts on channels alone, and all taps of the kernel share its result.
    """
    return layer.M if injection.k_c is None else layer.input_positions


def projection(layer: Layer, injection: Injection) -> Operations:
    """Operations of P x; none where z~ is not needed.

    MACs of all entries if P is real, else an addition for each non-zero.
    """
    if not needs_approximation(injection):
        return Operations()
    if injection.projection.real:
        return Operations(macs=projection_product(layer, injection).macs)
    positions = projected_positions(layer, injection)
    return Operations(additions=positions * injection.nonzeros * layer.groups)


def approximation(layer: Layer, injection: Injection) -> Operations:
    """Operations of W~ times the projected inputs: M n k MACs, none where z~ is not needed."""
    if not needs_approximation(injection):
        return Operations()
    return Operations(macs=layer.M * layer.n * injection.k)


def projected_values(layer: Layer, injection: Injection) -> int:
    """Numbers that the projection yields: M k, or k_c at each input position if taps share P."""
    rows = injection.k if injection.k_c is None else injection.k_c
    return projected_positions(layer, injection) * rows * layer.groups


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

    The measured share of the masks; 1 where exact values of all neurons are judged before it is
    known which of them are essential, and for noise that is added to exact values.
    """
    return 1.0 if computes_all(injection) else injection.measured_fraction


def computes_all(injection: Injection) -> bool:
    """Whether the exact values of all neurons are computed, whatever the masks."""
    return injection.selection.judges == "exact" or adds_noise(injection)


def selection(layer: Layer, injection: Injection, score_bits: int) -> Operations:
    """Operations that decide which neurons are essential; none where nothing is judged.

    A ranking, and what the selection declares for each position. A normalised score is a scaled
    and shifted copy of z~: one MAC a neuron.
    """
    chosen = injection.selection
    if chosen.judges == "nothing":
        return Operations()
    return Operations(
        macs=layer.M * layer.n if injection.normalise else 0,
        comparisons=ranking_comparisons(layer, injection, score_bits)
        + layer.M * chosen.comparisons,
        additions=layer.M * chosen.additions,
    )


def ranking_comparisons(layer: Layer, injection: Injection, score_bits: int) -> int:
    """Comparisons that find the k-th largest score of an input.

    By quickselect about 3 a neuron; by bisection one for each of the `score_bits`, whose counts of
    neurons above are neglected.
    """
    match injection.selection.algorithm:
        case "quickselect":
            return _QUICKSELECT_COMPARISONS * layer.M * layer.n
        case "bisection":
            return score_bits * layer.M * layer.n
        case None:
            return 0


def score_passes(injection: Injection, score_bits: int) -> int:
    """How often the scores are read: 0 where nothing is judged.

    Quickselect about 3 times, bisection once for each of the `score_bits`; once where nothing is
    ranked, as by a threshold, N:M or tiles.
    """
    if injection.selection.judges == "nothing":
        return 0
    match injection.selection.algorithm:
        case "quickselect":
            return _QUICKSELECT_COMPARISONS
        case "bisection":
            return score_bits
        case None:
            return 1


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


def kept_macs(layer: Layer) -> int:
    """MACs of a layer without an injection: M n d, or M for each weight that is not zero."""
    if layer.defence is None or layer.defence.nonzeros is None:
        return dense_macs(layer)
    return layer.M * layer.defence.nonzeros


def draw_additions(defence: Defence) -> int:
    """Additions of 32 bits that make the random numbers of a defence, about 3 for each."""
    return _DRAW_ADDITIONS * defence.draws


def defence_rankings(defence: Defence) -> int:
    """Comparisons that find the k-th largest of an input's numbers, by quickselect about 3 each."""
    return _QUICKSELECT_COMPARISONS * defence.ranked


def defence(defence: Defence) -> Operations:
    """Operations of a defence beside the layer's product, its draws as additions."""
    return Operations(
        macs=defence.macs,
        additions=defence.additions + draw_additions(defence),
        comparisons=defence.comparisons + defence_rankings(defence),
    )


def mask(layer: Layer, injection: Injection) -> Operations:
    """Bits of the mask: M n, none where all neurons are treated alike.

    An upper bound for blocks and channels, which could share a bit.
    """
    if injection.selection.treats_alike:
        return Operations()
    return Operations(mask_bits=layer.M * layer.n)
