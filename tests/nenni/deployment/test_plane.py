import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nenni.deployment.plane import Plane
from nenni.deployment.torch_path import to_codes


@pytest.mark.parametrize("signed", [False, True])
def test_numbers_come_back_and_the_padding_is_zero(signed: bool) -> None:
    plane = Plane(4, 3, 5, 2, 0.25, signed)
    codes = torch.randint(-127 if signed else 0, 128, (2, 5, 4, 3))
    stored = to_codes(codes * 0.25, plane)
    assert stored.shape == (2, 8, 7, 8)
    assert torch.equal(plane.numbers(stored), codes * 0.25)
    around = stored.clone()
    around[:, 2:-2, 2:-2] = plane.zero
    assert (around == plane.zero).all()


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"),
    [(3, 1, 1, 1), (3, 2, 1, 1), (1, 2, 0, 1), ((3, 5), 1, (1, 2), 1), (3, 1, 2, 2), (2, 1, 0, 1)],
)
def test_taps_are_where_the_convolution_reads(
    kernel: int | tuple[int, int], stride: int, padding: int | tuple[int, int], dilation: int
) -> None:
    plane = Plane(7, 6, 4, 2, 1.0, signed=False)
    layer = nn.Conv2d(4, 1, kernel, stride, padding, dilation)
    x = torch.randint(0, 128, (1, 4, 7, 6)).float()
    positions, taps = plane.patches(layer)
    flat = to_codes(x, plane).flatten()
    found = torch.stack([flat[positions.long()[:, None] + taps.long() + c] for c in range(4)], 2)
    ph, pw = layer.padding
    padded = F.pad(x, (pw, pw, ph, ph))
    expected = F.unfold(padded, layer.kernel_size, layer.dilation, 0, layer.stride)[0]
    assert torch.equal(found.float(), expected.view(4, -1, len(positions)).permute(2, 1, 0))


def test_more_padding_than_a_plane_has_is_refused() -> None:
    with pytest.raises(ValueError, match="a padding of 1 in a plane that has 0"):
        Plane(4, 4, 4, 0, 1.0, signed=False).patches(nn.Conv2d(4, 4, 3, padding=1))


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"),
    [(3, 1, 1, 1), (3, 2, 1, 1), ((3, 5), 1, (1, 2), 1), (3, 1, 2, 2), (2, 1, 0, 1)],
)
def test_taps_within_the_image_are_those_that_read_ones(
    kernel: int | tuple[int, int], stride: int, padding: int | tuple[int, int], dilation: int
) -> None:
    layer = nn.Conv2d(1, 1, kernel, stride, padding, dilation)
    ph, pw = layer.padding
    padded = F.pad(torch.ones(1, 1, 7, 6), (pw, pw, ph, ph))
    expected = F.unfold(padded, layer.kernel_size, layer.dilation, 0, layer.stride)[0].T.bool()
    found = Plane(7, 6, 1, 2, 1.0, signed=False).inside(layer)
    bits = 2 ** torch.arange(expected.shape[1])
    assert torch.equal((found[:, None] & bits) != 0, expected)


def test_more_taps_than_bits_are_all_taken() -> None:
    layer = nn.Conv2d(1, 1, 9, padding=4)
    assert (Plane(9, 9, 1, 4, 1.0, signed=False).inside(layer) == -1).all()
