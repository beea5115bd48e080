"""Which samples are answered otherwise."""

import pytest
import torch

from nenni.adversary.outputs import changed


def test_logits_may_change_by_a_share_of_their_deviation() -> None:
    first = torch.tensor([[0.0, 2.0], [2.0, 0.0], [0.0, 2.0]])
    moved = first + torch.tensor([[0.0, 0.0], [0.0, 0.05], [0.0, -0.5]])
    assert changed(first, moved, 0.1).tolist() == [False, False, True]
    assert changed(first, moved, 0.01).tolist() == [False, True, True]
    assert not changed(first * torch.nan, first * torch.nan, 0.1).any()
    constant = torch.ones(2, 3)
    assert not changed(constant, constant, 0.1).any()
    assert changed(constant, constant + 1e-6, 0.1).all()


@pytest.mark.parametrize("never", [-1e4, -1e9, -torch.inf])
def test_a_class_that_is_never_predicted_hides_no_change(never: float) -> None:
    first = torch.tensor([[0.0, 2.0, 1.0], [2.0, 0.0, 1.0], [0.0, 2.0, 1.0]])
    unused = torch.full((3, 2), never)
    wide = torch.cat([first, unused], 1)
    moved = torch.cat([first.roll(1, 0), unused], 1)
    assert changed(wide, moved, 0.1).tolist() == [False, True, True]


def test_one_sure_answer_hides_no_change() -> None:
    first = torch.eye(8)
    first[0] *= 1e6
    moved = first.clone()
    moved[1, 2] = 0.9
    assert changed(first, moved, 0.1).nonzero().flatten().tolist() == [1]


def test_labels_may_not_change() -> None:
    assert changed(torch.tensor([1, 2]), torch.tensor([1, 3]), 0.5).tolist() == [False, True]
