import pytest
import torch
from attack_cases import draws
from torch import nn

from nenni.adversary.attacks.deepfool import deepfool


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_deepfool_takes_the_nearest_of_several_classes(norm: str) -> None:
    """min over k of |f_k| / |w_k|_q, not the class of the largest logit."""
    rows = torch.tensor([[0.0, 0.0], [1.0, 0.2], [0.1, 8.0]], dtype=torch.float64)
    model = nn.Linear(2, 3, dtype=torch.float64)
    model.weight.data, model.bias.data = rows, torch.tensor([0, -1.0, -4.5], dtype=torch.float64)
    x = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    gaps = -(rows @ x[0] + model.bias.data)[1:]
    q, p = (1, float("inf")) if norm == "linf" else (2, 2)
    nearest = (gaps / rows[1:].norm(p=q, dim=1)).min()
    assert model(x).topk(2).indices[0, 1] == 1
    result = deepfool(model, x, torch.tensor([0]), 1.0, draws(), norm=norm, overshoot=0.001)
    assert model(result).argmax() == 2
    assert (result - x).norm(p=p) == pytest.approx(float(nearest), rel=0.002)
