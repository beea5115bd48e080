"""What is refused as images and labels."""

import pytest
import torch
from torch import Tensor

from nenni.core.errors import UserError
from nenni.data.checks import check_data

IMAGES = torch.rand(4, 1, 5, 5)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES[:0], torch.zeros(0, dtype=torch.int64), "no images"),
        (IMAGES * 2, torch.zeros(4, dtype=torch.int64), r"should be in \[0, 1\]"),
        (IMAGES - 0.5, torch.zeros(4, dtype=torch.int64), r"should be in \[0, 1\]"),
        (IMAGES * torch.nan, torch.zeros(4, dtype=torch.int64), r"should be in \[0, 1\]"),
        ((IMAGES * 255).byte(), torch.zeros(4, dtype=torch.int64), "divide bytes by 255"),
        (IMAGES, torch.zeros(3, dtype=torch.int64), "4 images and 3 labels"),
        (IMAGES, torch.zeros(4), "whole numbers"),
        (IMAGES, torch.zeros(4, dtype=torch.bool), "whole numbers"),
        (IMAGES, torch.zeros(4, 7, dtype=torch.int64), r"of shape \(4,\)"),
        (IMAGES, torch.tensor([0, 1, 7, 8]), "label of image 2 is 7, and the model knows 0 to 6"),
        (IMAGES, torch.tensor([0, -1, 2, 3]), "label of image 1 is -1"),
    ],
)
def test_refuses_what_is_no_data(images: Tensor, labels: Tensor, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_data(images, labels, 7)
