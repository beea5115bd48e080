"""Work is resumed where it is the same work, to the answers of the network."""

from pathlib import Path

import torch
from torch import Tensor, nn

from nenni.evaluation.resume import Parts, digest, key_of

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


def test_another_gradient_is_another_network() -> None:
    """Its gradient mended, a network was told the accuracy of before: 97.5 % for 10."""

    class Masked(nn.Module):
        def __init__(self, masked: bool) -> None:
            super().__init__()
            self.masked = masked

        def forward(self, x: Tensor) -> Tensor:
            return (x.detach() + 0 * x if self.masked else x)[:, :3]

    x = torch.rand(5, 4)
    assert key_of([Masked(True)], x, []) != key_of([Masked(False)], x, [])


def test_what_differs_off_the_images_alone_is_another_network() -> None:
    class Rounding(nn.Module):
        def __init__(self, rounds: bool) -> None:
            super().__init__()
            self.rounds = rounds

        def forward(self, x: Tensor) -> Tensor:
            return x + ((x * 255).round() / 255 - x).detach() if self.rounds else x

    class Clipped(nn.Module):
        def __init__(self, largest: float) -> None:
            super().__init__()
            self.largest = largest

        def forward(self, x: Tensor) -> Tensor:
            return x.clamp(max=self.largest)

    on_grid = torch.randint(100, (5, 4)) / 255
    assert key_of([Rounding(True)], on_grid, []) != key_of([Rounding(False)], on_grid, [])
    assert key_of([Clipped(0.5)], on_grid, []) != key_of([Clipped(1.0)], on_grid, [])


def test_any_state_is_part_of_the_key() -> None:
    class Told(nn.Linear):
        said: object = {"temperature": 2}

        def get_extra_state(self) -> object:
            return self.said

        def set_extra_state(self, state: object) -> None:
            self.said = state

    layer, x = Told(4, 3), torch.rand(5, 4)
    first = key_of([layer], x, [])
    assert first == key_of([layer], x, [])
    layer.said = {"temperature": 3}
    assert first != key_of([layer], x, [])
    layer.said = lambda: None  # cannot be pickled
    assert first != key_of([layer], x, [])
    assert digest([x]) != digest([x.flatten()])
