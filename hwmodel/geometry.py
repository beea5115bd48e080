"""Sizes along one axis of a convolution."""

from functools import cache


def output_length(length: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Outputs along an axis, `padding` being that of both sides together."""
    return (length + padding - dilation * (kernel - 1) - 1) // stride + 1


def transposed_lengths(length: int, kernel: int, stride: int, padding: int, dilation: int) -> range:
    """Outputs that a transposed convolution may have along an axis.

    (L - 1) s - p + dilation (k - 1) + 1, and as many more as its output padding, which is smaller
    than the stride or the dilation (torch.nn.ConvTranspose2d).
    """
    least = (length - 1) * stride - padding + dilation * (kernel - 1) + 1
    return range(least, least + max(stride, dilation))


@cache
def positions_read(
    length: int, outputs: int, kernel: int, stride: int, before: int, dilation: int
) -> int:
    """Positions along an axis that some tap of some output reads, without the padding.

    Taps whose offsets leave the same remainder by the stride read positions of one lattice; each
    reads a run of `outputs` of them, and the runs are joined.
    """
    if dilation == 1 and kernel >= stride:
        return max(0, min(length, (outputs - 1) * stride + kernel - before))
    runs: dict[int, list[tuple[int, int]]] = {}
    for tap in range(kernel):
        first, rest = divmod(tap * dilation - before, stride)
        low, high = max(first, 0), min(first + outputs - 1, (length - 1 - rest) // stride)
        if low <= high:
            runs.setdefault(rest, []).append((low, high))
    return sum(map(_joined, runs.values()))


def _joined(runs: list[tuple[int, int]]) -> int:
    """Whole numbers in at least one of the runs, which are in rising order."""
    count, reached = 0, -1
    for low, high in runs:
        count += max(0, high - max(low, reached + 1) + 1)
        reached = max(reached, high)
    return count
