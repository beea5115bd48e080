import torch

from nenni.deployment.packing import filled, packed, start, steps


def test_each_weight_is_where_the_kernels_look_for_it() -> None:
    codes = torch.randint(-127, 128, (21, 6, 3, 2), dtype=torch.int8)
    found = packed(codes)
    assert found.shape == (2, 3 * 2 * 2, 16, 4)
    for n, c, i, j in [(0, 0, 0, 0), (20, 5, 2, 1), (17, 3, 1, 0), (15, 4, 2, 1)]:
        tap = 2 * i + j
        assert found[n // 16, 2 * tap + c // 4, n % 16, c % 4] == codes[n, c, i, j]
    assert found.int().sum() == codes.int().sum()


def test_steps_are_fours_of_channels_at_each_tap() -> None:
    assert steps(torch.tensor([0, 100], dtype=torch.int32), 6).tolist() == [0, 4, 100, 104]


def test_sums_start_at_what_undoes_the_added_128_tap_by_tap() -> None:
    codes = torch.tensor([1, 2]).to(torch.int8).view(1, 1, 1, 2).repeat(3, 3, 1, 1)
    found = start(codes, 128)
    assert found.shape == (3, 16)
    assert found[:, :3].tolist() == [[-128 * 3] * 3, [-128 * 6] * 3, [-128 * 9] * 3]
    assert not found[:, 3:].any()
    assert not start(codes, 0).any()


def test_channels_are_filled_up_to_sixteens() -> None:
    assert [len(filled(torch.ones(n))) for n in (1, 16, 17)] == [16, 16, 32]
