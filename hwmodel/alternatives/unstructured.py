"""Weights of which a share is zero anywhere, INT8: half of them, or nine of ten.

Each non-zero is stored with the index of its input, or each weight has a bit that says whether it
is one, whichever takes less. Where a platform can skip zeros, each non-zero
costs a multiply-accumulate on scattered numbers outside the multipliers; elsewhere the zeros are
filled in on the chip and multiplied, so that bytes alone are saved. Dense where that is faster.
That 90 % of ResNet-50's weights can go at small loss: Gale, Elsen, Hooker, The State of Sparsity in
Deep Neural Networks, arXiv 1902.09574, figure 3.
"""

from hwmodel.layer_spec import Layer
from hwmodel.metrics import ceil_log2
from hwmodel.phase import Elementwise, Phase, cheaper
from hwmodel.preset import Preset
from hwmodel.whole_layer import dense_phase, thinned_phase

_DENSITIES = {"50 % of weights INT8": 0.5, "10 % of weights INT8": 0.1}
NAMES = tuple(_DENSITIES)
_BITS = 8
HARDWARE = dict.fromkeys(NAMES, (_BITS, 1))


def phase(name: str, layer: Layer, preset: Preset, batch: int) -> Phase | str:
    """The layer with as many weights left, by the fastest way that the platform has."""
    return at_density(layer, preset, batch, _DENSITIES[name])


def at_density(layer: Layer, preset: Preset, batch: int, density: float) -> Phase:
    """The layer with a share of its weights left; products of activations have none.

    Parameters
    ----------
    layer, preset, batch
        As in `hwmodel.whole_layer.dense_phase`.
    density
        Share of the weights that are not zero.
    """
    dense = dense_phase(layer, preset, _BITS, batch)
    if layer.kind == "matmul":
        return dense
    indexed, mapped = density * (_BITS + ceil_log2(layer.d)), density * _BITS + 1
    stored = min(1.0, indexed / _BITS, mapped / _BITS)
    ways = [dense, thinned_phase(layer, preset, _BITS, batch, weights=stored)]
    if preset.skips_zeros.value:
        macs = Elementwise(
            density * layer.M * layer.n * layer.d, "multiply_add", _BITS, streams=False
        )
        ways.append(thinned_phase(layer, preset, _BITS, batch, macs, depth=0, weights=stored))
    return min(ways, key=cheaper)
