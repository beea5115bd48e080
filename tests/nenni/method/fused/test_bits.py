"""Masks come back from their bits as they were."""

import pytest
import torch

from nenni.method.fused.bits import bits_of


def _layouts(mask: torch.Tensor) -> list[torch.Tensor]:
    last = mask.contiguous(memory_format=torch.channels_last)
    return [mask, last, mask.movedim(1, -1), mask[:, ::2], mask.transpose(0, 1), mask[:1]]


@pytest.mark.parametrize("shape", [(3, 5, 7, 2), (1, 8, 1, 1), (2, 1, 9, 3), (0, 4, 2, 2)])
def test_masks_come_back_in_an_eighth_of_their_memory(shape: tuple[int, ...]) -> None:
    for mask in _layouts(torch.rand(shape).gt(0.3)):
        bits = bits_of(mask)
        assert bits is not None
        assert bits.packed.numel() == -(-mask.numel() // 8)
        found = bits.mask()
        assert found.dtype == torch.uint8
        assert torch.equal(found.bool(), mask)


def test_masks_come_back_in_their_layout() -> None:
    """A pass over two layouts at once takes several times as long."""
    mask = torch.rand(2, 3, 4, 5).gt(0.3)
    for each in (mask, mask.contiguous(memory_format=torch.channels_last), mask.transpose(0, 3)):
        bits = bits_of(each)
        assert bits is not None
        assert bits.mask().stride() == each.stride()


def test_masks_of_few_dimensions_or_one_value_many_times() -> None:
    for mask in (torch.tensor(True), torch.rand(11).gt(0.5), torch.tensor([[True], [False]])):
        for each in (mask, mask.expand(*mask.shape[:-1], 5) if mask.dim() == 2 else mask):
            bits = bits_of(each)
            assert bits is not None
            assert torch.equal(bits.mask().bool(), each)


def test_a_mask_that_may_not_be_looked_at_has_no_bits() -> None:
    assert bits_of(torch.ones(3, dtype=torch.bool, device="meta")) is None
    traced = []
    torch.jit.trace(
        lambda x: (traced.append(bits_of(x > 0)), x + 1)[1], torch.zeros(1), check_trace=False
    )
    assert traced == [None]
