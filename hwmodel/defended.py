"""The phase of a layer with a defence other than an injection.

What the defence does beside the product is done in the same phase, on consecutive numbers but for a
ranking, which jumps. Drawn numbers are made where they are used: none crosses the memory. Weights
of which N of every M are zero take the platform's multipliers for such, where it has some.
"""

from collections.abc import Iterator

from hwmodel import op_count
from hwmodel.bitops import DRAW_BITS, exact_sum_bits
from hwmodel.defence_spec import Defence
from hwmodel.layer_spec import Layer
from hwmodel.phase import Elementwise, Kind, Phase
from hwmodel.preset import Preset
from hwmodel.rates import supported_bits
from hwmodel.whole_layer import dense_phase, thinned_phase, two_of_four_phase

_WIDEST_INTEGER = 8
"""Numbers of more bits are floating point."""
_STORED_BITS = 32
_SKIPPED = (2, 4)
"""N and M of the weights that platforms skip."""


def own_phase(layer: Layer, preset: Preset, batch: int = 1) -> Phase:
    """Time a layer without an injection at its own bits, with what its defence adds.

    Raises
    ------
    UnsupportedPrecisionError
        If the platform multiplies nothing as wide.
    """
    if (defence := layer.defence) is None:
        return dense_phase(layer, preset, layer.exact_bits, batch)
    run_bits = supported_bits(preset, layer.exact_bits)
    others = tuple(_operations(layer, defence))
    more = defence.stored * _STORED_BITS / (layer.n * layer.d * run_bits)
    skips = preset.skips_two_of_four is not None and bool(preset.skips_two_of_four.value)
    if skips and defence.n_of_m == _SKIPPED:
        return two_of_four_phase(layer, preset, layer.exact_bits, batch, *others, more=more)
    return thinned_phase(layer, preset, layer.exact_bits, batch, *others, weights=1 + more)


def _operations(layer: Layer, defence: Defence) -> Iterator[Elementwise]:
    """Those outside the multipliers."""
    real = layer.exact_bits > _WIDEST_INTEGER
    width = layer.exact_bits if real else exact_sum_bits(layer, layer.exact_bits)
    add: Kind = "float_add" if real else "add"
    multiply_add: Kind = "float_multiply_add" if real else "multiply_add"
    drawn = op_count.draw_additions(defence)
    ranked = op_count.defence_rankings(defence)
    yield Elementwise(drawn, "add", DRAW_BITS, streams=True)
    yield Elementwise(defence.macs, multiply_add, width, streams=True)
    yield Elementwise(defence.additions, add, width, streams=True)
    yield Elementwise(defence.comparisons, "add", width, streams=True)
    yield Elementwise(ranked, "add", width, streams=False)
