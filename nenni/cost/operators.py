"""What the operators that reach the device compute with the parameters of a network.

A product is counted; moving, normalising, looking up and whatever works element by element costs
next to nothing beside products, and the cost model leaves it out on all sides; anything else that
reads a parameter is not known, and is named.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from nenni.cost.geometry import Shape, convolution, product

_LEFT_OUT = (
    "batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "embedding", "index",
    "gather", "scatter", "clone", "copy", "contiguous", "cat", "stack", "pad", "repeat", "roll",
    "flip", "unsafe_view", "reshape", "empty", "zeros", "ones", "new_", "full", "fill", "lift",
    "prelu", "masked", "where", "sum", "mean", "amax", "amin", "max", "min", "var", "std", "norm",
)  # fmt: skip
"""Parts of the names of operators that multiply nothing into sums."""


_NOWHERE = 0


class Weights:
    """Where the parameters and buffers of a network lie, and what is made from them alone.

    Parameters
    ----------
    model : Module
        In eval mode, in which buffers are constants.
    """

    def __init__(self, model: nn.Module) -> None:
        self._has_parameter: dict[int, bool] = {}
        self._kept: list[Tensor] = []
        for buffer in model.buffers():
            self._add(buffer, has_parameter=False)
        for parameter in model.parameters():
            self._add(parameter, has_parameter=True)

    def __contains__(self, tensor: Tensor) -> bool:
        return _place(tensor) in self._has_parameter

    def has_parameter(self, tensor: Tensor) -> bool:
        """Whether it is a parameter, or made from one."""
        return self._has_parameter.get(_place(tensor), False)

    def learn(self, read: Iterable[Tensor], made: Any) -> None:
        """Take what is made from weights alone for weights, as a low-rank matrix."""
        if (read := list(read)) and all(tensor in self for tensor in read):
            for tensor in tensors_of(made):
                self._add(tensor, has_parameter=any(map(self.has_parameter, read)))

    def _add(self, tensor: Tensor, *, has_parameter: bool) -> None:
        """Kept, or other tensors would come to lie there."""
        self._kept.append(tensor)
        if (place := _place(tensor)) != _NOWHERE:
            self._has_parameter[place] = has_parameter or self.has_parameter(tensor)


def _place(tensor: Tensor) -> int:
    """Where the numbers of a tensor lie; nowhere if it has none, or is sparse."""
    dense = tensor.layout is torch.strided
    return tensor.untyped_storage().data_ptr() if dense else _NOWHERE


def products_of(
    func: Any, args: tuple[Any, ...], result: Any, weights: Weights
) -> Iterator[tuple[str, Shape]]:
    """The kinds and shapes of the products of an operator; of activations, or with a parameter.

    Several products of activations with parameters of their own are a grouped convolution of size
    1. ``nn.Bilinear`` multiplies the d1 d2 products of its inputs with n d1 d2 weights.
    """
    aten = torch.ops.aten
    match func.overloadpacket:
        case aten.mm | aten.bmm:
            left, right = args[:2]
        case aten.addmm | aten.baddbmm | aten.addbmm:
            left, right = args[1:3]
        case aten.mv:
            left, right = args[0], args[1][:, None]
        case aten.addmv:
            left, right = args[1], args[2][:, None]
        case aten.dot | aten.vdot:
            left, right = args[0][None], args[1][:, None]
        case aten._trilinear if args[1] in weights:
            positions, d1 = args[0].shape
            yield "linear", product("linear", positions, len(args[1]), d1 * args[2].shape[-1], 1)
            return
        case aten.convolution | aten._convolution:  # the second where a network was traced
            yield "conv", _convolution(args, result)
            return
        case _:
            return
    yield _matrices(left, right, weights)


def _matrices(left: Tensor, right: Tensor, weights: Weights) -> tuple[str, Shape]:
    if left in weights and right not in weights:
        left, right = right.transpose(-2, -1), left.transpose(-2, -1)
    groups = left.shape[0] if left.dim() == 3 else 1
    M, n, d = left.shape[-2], right.shape[-1], left.shape[-1]
    if right not in weights:
        return "matmul", product("matmul", M, n, d, groups)
    if groups == 1 or right.stride(0) == 0:  # one matrix, or one for all
        return "linear", product("linear", groups * M, n, d, 1)
    return "linear", product("conv2d", M, n, d, groups)


def _convolution(args: tuple[Any, ...], result: Tensor) -> Shape:
    x, weight, _, stride, padding, dilation, transposed, _, groups = args[:9]
    axes = weight.dim() - 2
    stride, padding, dilation = (
        list(sizes) * (axes if len(sizes) == 1 else 1) for sizes in (stride, padding, dilation)
    )
    # samples count as positions of an axis of their own: one convolution for each
    return convolution(
        weight.shape, stride, padding, dilation, groups, x.shape[2:], result.shape[2:], transposed
    )


def samples_of(func: Any, args: tuple[Any, ...]) -> int:
    """How many times a convolution runs: once for each sample of its input; 1 for others."""
    aten = torch.ops.aten
    convolves = func.overloadpacket in (aten.convolution, aten._convolution)
    return int(args[0].shape[0]) if convolves else 1


def is_uncounted(func: Any, read: Sequence[Tensor], result: Any, weights: Weights) -> bool:
    """Whether an operator that is no product may be one in disguise, as it reads a parameter.

    Nothing is where it reads parameters alone. Element by element, an operator is left out unless
    its result is larger than what it reads of activations, as where a layer is written out as a
    broadcast product or distance and a sum; parameters may be added to fewer numbers.
    """
    if func.namespace == "quantized":
        return True
    others = [tensor for tensor in read if tensor not in weights]
    if not others or func.is_view or not any(map(weights.has_parameter, read)):
        return False
    if torch.Tag.pointwise in func.tags:
        adds = func.overloadpacket in (torch.ops.aten.add, torch.ops.aten.add_)
        largest = max(tensor.numel() for tensor in (read if adds else others))
        return any(made.numel() > largest for made in tensors_of(result))
    name = str(func.overloadpacket).rpartition(".")[2]
    return func.namespace != "aten" or not any(part in name for part in _LEFT_OUT)


def tensors_of(tree: Any) -> list[Tensor]:
    """The tensors among the arguments or results of an operator."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
