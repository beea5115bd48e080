import pytest
import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.evaluation.preconditions import check_classifier

IMAGES = torch.rand(4, 1, 5, 5)


class Returns(nn.Module):
    def __init__(self, output: object) -> None:
        super().__init__()
        self.output = output
        self.eval()

    def forward(self, x: Tensor) -> object:
        return self.output


class Raises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("of 28 x 28 alone")


def test_counts_the_classes() -> None:
    assert check_classifier(Returns(torch.zeros(4, 7)), IMAGES) == 7
    assert check_classifier(Returns(torch.zeros(4, dtype=torch.int64)), IMAGES) is None


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(25, 3)), "call model.eval()"),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(24, 3)).eval(),
            "does not accept images, torch.float32 of shape",
        ),
        (Returns(torch.zeros(3, 7)), "it should return logits"),
        (Returns(torch.zeros(4, 7, 1)), "it should return logits"),
        (Returns(torch.zeros(4)), "it should return logits"),
        (Returns((torch.zeros(4, 7),)), "returns a tuple"),
        (Returns(torch.zeros(4, 1)), "one logit per class"),
        (nn.Sequential(nn.Flatten(), nn.LazyLinear(3)).eval(), "lazy modules"),
        (Raises().eval(), "does not accept images, .*: AssertionError: of 28 x 28 alone"),
    ],
)
def test_refuses_what_is_no_classifier(model: nn.Module, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_classifier(model, IMAGES)


def test_bytes_are_named_before_the_model_fails_on_them() -> None:
    with pytest.raises(UserError, match="divide bytes by 255"):
        check_classifier(nn.Sequential(nn.Flatten(), nn.Linear(25, 3)).eval(), IMAGES.byte())


def test_a_network_that_overwrites_its_images_gets_a_copy() -> None:
    class Overwrites(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mul_(0.5).flatten(1)

    images = IMAGES.clone()
    check_classifier(Overwrites().eval(), images[:1])
    assert torch.equal(images, IMAGES)


def test_a_frozen_script_is_in_eval_mode() -> None:
    script = torch.jit.freeze(
        torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(25, 3)).eval())
    )
    assert check_classifier(script, IMAGES) == 3
