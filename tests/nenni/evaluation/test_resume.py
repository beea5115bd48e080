"""Work is resumed where it is the same work, to the answers of the network."""

from pathlib import Path

import torch
from torch import Tensor, nn

from nenni.evaluation.resume import Parts, key_of

TABLE = {"adv_correct": [1.0, 0.0]}


def do() -> tuple[dict[str, list[float]], list[str]]:
    return TABLE, ["said"]


def refuse() -> tuple[dict[str, list[float]], list[str]]:
    raise AssertionError("was done already")


def test_parts_go_on_in_their_order(tmp_path: Path) -> None:
    lines: list[str] = []
    first = Parts(tmp_path / "kept", "key", lines.append)
    assert first.next("a", do) == ((TABLE, ["said"]), False)
    assert first.next("b", do)[1] is False
    again = Parts(tmp_path / "kept", "key", lines.append)
    assert again.next("a", refuse) == ((TABLE, ["said"]), True)
    assert again.next("other", do)[1] is False, "from here on it is another's"
    assert lines == ["resumed after 2 parts"]
    assert Parts(tmp_path / "kept", "other key", lines.append).next("a", do)[1] is False


class Powered(nn.Module):
    """The same weights in another code."""

    def __init__(self, power: int) -> None:
        super().__init__()
        self.power, self.readout = power, nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.readout(x**self.power)  # type: ignore[no-any-return]


def test_other_code_with_the_same_weights_is_another_network() -> None:
    """Resumed for it, a call printed the accuracy of the code before: 44.7 % for 56.3."""
    first, second = Powered(1), Powered(2)
    second.load_state_dict(first.state_dict())
    x = torch.rand(5, 4)
    key = key_of([first], x, ["settings"])
    assert key == key_of([first], x, ["settings"])
    assert key != key_of([second], x, ["settings"])
    assert key != key_of([first], x, ["other settings"])
    assert key != key_of([first, first], x, ["settings"])
    assert key != key_of([first], x.flip(0), ["settings"])
