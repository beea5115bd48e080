"""The networks that have rows of their own in a comparison: how they are called and built."""

from collections.abc import Iterator, Mapping, Set

from hwmodel import alternatives
from hwmodel.area import area_um2
from hwmodel.bitops import REAL_BITS
from hwmodel.energy_table import EnergyTable
from hwmodel.errors import UserError
from hwmodel.layer_spec import Layer
from hwmodel.network_spec import Network
from hwmodel.preset import Preset
from hwmodel.variants import at_bits

REFERENCE_BITS = 8
PICKS_AMONG = 16
"""Operands that a multiplier of the exact part picks one of, as in Cnvlutin (Albericio et al., ISCA
2016, section 4): assumed."""
AS_DESCRIBED, AT_INT8 = "this method", "this method, exact path INT8"
_SPARSE = (2, 4)


def own_names(network: Network) -> tuple[str, str] | tuple[()]:
    """Names of the rows of a network itself: the method's, another defence's, or none."""
    if any(layer.injection is not None for layer in network.layers):
        return AS_DESCRIBED, AT_INT8
    names = dict.fromkeys(layer.defence.name for layer in network.layers if layer.defence)
    return _named(", ".join(names)) if names else ()


def _named(name: str) -> tuple[str, str]:
    return name, f"{name} at INT{REFERENCE_BITS}"


def described(
    network: Network, others: Mapping[str, Network]
) -> Iterator[tuple[Network, str, str]]:
    """Each network that has rows of its own, and their names."""
    own = own_names(network)
    if own:
        yield network, *own
    for name, other in others.items():
        yield other, *_named(name)


def check_beside(network: Network, others: Mapping[str, Network], taken: Set[str]) -> None:
    """Refuse networks beside another whose rows would be mistaken, or that have other layers.

    Raises
    ------
    UserError
        If a name is taken, or the layers differ in more than bits, injections and defences.
    """
    shapes = [_plain(layer).shape for layer in network.layers]
    for name, other in others.items():
        if taken & {*_named(name)}:
            raise UserError(f"{name} is the name of another row: choose another")
        if [_plain(layer).shape for layer in other.layers] != shapes:
            raise UserError(f"{name}: should have the same layers as the network it stands beside")


def _plain(layer: Layer) -> Layer:
    change = {"exact_bits": REFERENCE_BITS, "injection": None, "defence": None}
    return layer.model_copy(update=change)


def areas(
    network: Network, others: Mapping[str, Network], preset: Preset, table: EnergyTable
) -> dict[str, float]:
    """Area of each way over that of the reference, where it is known.

    The method's multipliers are as wide as its exact path, or as a P of real numbers.
    """
    needs: dict[str, tuple[int, int]] = {}
    for each, name, at_int8 in described(network, others):
        injections = [layer.injection for layer in each.layers if layer.injection is not None]
        least = max((REAL_BITS for one in injections if one.projection.real), default=0)
        widest = max(layer.exact_bits for layer in each.layers)
        defences = [layer.defence for layer in each.layers if layer.defence is not None]
        sparse = any(defence.n_of_m == _SPARSE for defence in defences)
        picks = PICKS_AMONG if injections else _SPARSE[1] if sparse else 1
        needs[name] = max(widest, least), picks
        needs[at_int8] = max(REFERENCE_BITS, least), picks
    reference = area_um2(preset, table, REFERENCE_BITS)
    found = {}
    for name, (bits, picks) in (needs | alternatives.HARDWARE).items():
        mine = area_um2(preset, table, bits, picks_among=picks)
        if mine is not None and reference is not None:
            found[name] = mine / reference
    return found


def at_reference(layer: Layer) -> Layer:
    """The layer at the bits of the reference; what a defence rounds to fewer stays so."""
    fewer = layer.defence is not None and layer.exact_bits < REFERENCE_BITS
    return layer if fewer else at_bits(layer, REFERENCE_BITS)
