import torch

from nenni.training.augmentation import shifted


def test_shift_is_by_rows_down_and_columns_right() -> None:
    image = torch.zeros(2, 1, 5, 5)
    image[:, :, 2, 2] = 1
    moved = shifted(image, torch.tensor([[1, 0], [-2, 0]]))
    assert moved.nonzero()[:, 2:].tolist() == [[3, 0], [2, 2]]


def test_a_shift_beyond_the_image_leaves_nothing_of_it() -> None:
    far = torch.tensor([[2**31 - 1, -(2**31)], [0, 1]])
    assert not shifted(torch.ones(2, 1, 5, 5), far).any()
