"""What AutoAttack says, and networks of few classes."""

import pytest
from attack_cases import SLOW, draws
from torch import Tensor, nn


def test_autoattack_says_what_its_own_checks_found(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    pytest.importorskip("pyautoattack", reason="the extra autoattack is not installed")
    probabilities = nn.Sequential(trained, nn.Softmax(1)).eval()
    with pytest.warns(UserWarning, match="the output is a probability distribution"):
        SLOW["autoattack"](probabilities, digits[0][:2], digits[1][:2], 0.3, draws())


@pytest.mark.parametrize("classes", [2, 3])
def test_autoattack_with_few_classes(
    classes: int, trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    pytest.importorskip("pyautoattack", reason="the extra autoattack is not installed")

    class Few(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return trained(x)[:, :classes]

    few = digits[1] < classes
    x, y = digits[0][few][:5], digits[1][few][:5]
    found = SLOW["autoattack"](Few().eval(), x, y, 0.3, draws())
    assert (Few()(found).argmax(1) != y).all()
