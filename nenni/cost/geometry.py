"""Shapes of products as ``layers.json`` has them."""

from collections.abc import Sequence
from typing import Any

Shape = dict[str, Any]
"""The keys of ``layers.json`` that give a layer's shape."""


def convolution(
    weight: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int | tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
    in_size: Sequence[int],
    out_size: Sequence[int],
    transposed: bool = False,
) -> Shape:
    """Shape of a convolution over one, two or three axes; a single one is a width.

    Parameters
    ----------
    weight
        Shape of the weights: (n, C / groups, *kernel), or (C, n / groups, *kernel) if transposed.
    stride, padding, dilation, in_size, out_size
        A number for each axis; of the padding two where its sides differ.
    groups
        As in a convolution.
    transposed
        Whether it is.
    """
    first, second, *kernel = weight
    inputs, outputs = (first, second * groups) if transposed else (second * groups, first)
    axes = len(kernel)
    sizes: dict[str, tuple[Sequence[Any], int]] = {
        "kernel_size": (kernel, 1), "stride": (stride, 1), "padding": (padding, 0),
        "dilation": (dilation, 1), "in_size": (in_size, 1), "out_size": (out_size, 1),
    }  # fmt: skip
    filled = {key: [fill] * (2 - axes) + list(size) for key, (size, fill) in sizes.items()}
    return {
        "kind": f"conv_transpose{max(2, axes)}d" if transposed else f"conv{max(2, axes)}d",
        "in_channels": inputs,
        "out_channels": outputs,
        "groups": groups,
        **filled,
    }


def product(kind: str, M: int, n: int, d: int, groups: int) -> Shape:
    """Shape of so many matrix products (M x d) (d x n)."""
    return {
        "kind": kind,
        "in_channels": d * groups,
        "out_channels": n * groups,
        "kernel_size": [1, 1],
        "stride": [1, 1],
        "padding": [0, 0],
        "dilation": [1, 1],
        "groups": groups,
        "in_size": [1, M],
        "out_size": [1, M],
    }
