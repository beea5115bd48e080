"""Matrix products that a layer consists of, for one input."""

from dataclasses import dataclass, replace

from hwmodel.injection_spec import Injection
from hwmodel.layer_spec import Layer


@dataclass(frozen=True, slots=True)
class Product:
    """One matrix product (M x d) (d x n), run `count` times, as for the groups of a convolution.

    Attributes
    ----------
    M
        Positions.
    n
        Neurons at each.
    d
        Inputs of a neuron.
    count
        How many of them.
    taps
        Of the kernel whose channels the inputs of a neuron are: d / taps of them.
    """

    M: int
    n: int
    d: int
    count: int = 1
    taps: int = 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates, of all of them."""
        return self.M * self.n * self.d * self.count

    def of_batch(self, batch: int) -> "Product":
        """The products of so many inputs, whose positions stand below each other."""
        return replace(self, M=batch * self.M)


def dense_product(layer: Layer, batch: int = 1) -> Product:
    """The layer without injection, one product for each group: (M x d) (d x n).

    The inputs of a batch have their own products of activations.
    """
    n, groups = layer.n // layer.groups, layer.groups
    if layer.kind == "matmul":
        return Product(layer.M, n, layer.d, batch * groups)
    return Product(batch * layer.M, n, layer.d, groups, _taps(layer))


def approximation_product(layer: Layer, injection: Injection) -> Product:
    """W~ times the projected inputs: (M x k) (k x n)."""
    return Product(layer.M, layer.n // layer.groups, injection.k, layer.groups)


def projection_product(layer: Layer, injection: Injection) -> Product:
    """P x with its zeros: (M x d) (d x k), or (positions x C_in) (C_in x k_c) if tap-shared."""
    if injection.k_c is not None:
        channels = layer.in_channels // layer.groups
        return Product(layer.input_positions, injection.k_c, channels, layer.groups)
    return Product(layer.M, injection.k, layer.d, layer.groups, _taps(layer))


def _taps(layer: Layer) -> int:
    return 1 if layer.is_transposed else layer.area
