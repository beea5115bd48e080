"""Square roots that are the same bits on every processor."""

import torch
from torch import Tensor


def square_root(x: Tensor) -> Tensor:
    """The square root, correctly rounded in single precision.

    Of MKL's, which torch takes on a CPU, the last bit hangs on the maker: it starts from an
    approximation by the instruction RSQRTPS, whose digits no standard fixes. That of a number in
    double precision is off by a last bit too, but far less than would change what is rounded from
    it: the root of a number of 24 bits is nowhere so near to the middle of two of them.
    """
    if x.device.type == "cpu" and x.dtype == torch.float32:
        return x.double().sqrt().float()
    return x.sqrt()
