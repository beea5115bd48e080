"""What follows a suite is decided on all images at once, whatever their batches and their order."""

from collections.abc import Iterator

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import nenni
from nenni.adversary.suite_attacks import FURTHER, SUITES
from nenni.core.errors import UserError
from nenni.evaluation.further import Seen, breaks_more

EPS = 0.02
N = 32


class Ripple(nn.Module):
    """An honest gradient of a function with many local maxima, which Square jumps over."""

    w: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("w", torch.randn(144, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: Tensor) -> Tensor:
        """0, and a plane with ripples."""
        omega, v = 6 * torch.pi / EPS, x.flatten(1) - 0.5
        u = (v + 4 / omega * torch.sin(omega * v)) @ self.w
        return torch.stack([0 * u, u], 1)


@pytest.fixture
def model() -> nn.Module:
    return Ripple().eval()


@pytest.fixture
def data(model: Ripple) -> tuple[Tensor, Tensor]:
    """Images whose margins go from a fifth of what a ball can change to nearly all of it."""
    x = 0.3 + 0.4 * torch.rand(N, 1, 12, 12, generator=torch.Generator().manual_seed(1))
    wanted = torch.linspace(0.2, 0.9, N) * EPS * model.w.abs().sum()
    for _ in range(20):
        missing = (wanted - model(x)[:, 1]) / model.w.square().sum()
        x = x + missing[:, None, None, None] * model.w.view(1, 1, 12, 12)
    return x, torch.ones(N, dtype=torch.int64)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite and what follows it, with fewer queries."""
    suite = {"pgd": {"name": "pgd", "steps": 5}, "square": {"name": "square", "queries": 60}}
    monkeypatch.setitem(SUITES, "standard", suite)
    monkeypatch.setitem(FURTHER, "standard", {"square_5000": {"name": "square", "queries": 150}})


def test_no_flag_hangs_on_the_batch_or_the_order(
    model: nn.Module, data: tuple[Tensor, Tensor]
) -> None:
    """In batches of one image nothing followed: 0.56 were robust in place of 0.19."""
    x, y = data
    whole = nenni.evaluate(model, data, eps=EPS, batch_size=N)
    assert [*whole.notes] == ["pgd", "square", "square_5000"]
    least = whole.robust.tolist()
    square = whole.examples[whole.examples["attack"] == "square"]["any_correct"]
    assert 0 < sum(least) < square.sum() < N - 1
    for batch_size in (1, 3):
        found = nenni.evaluate(model, data, eps=EPS, batch_size=batch_size)
        assert found.robust.tolist() == least
        assert found.examples["index"].tolist() == 3 * [*range(N)]
    turned = nenni.evaluate(model, (x.flip(0), y), eps=EPS, batch_size=3, least_only=True)
    assert turned.robust.tolist() == least[::-1]


class Turning:
    """A loader whose order is another one each time, and that may change the images."""

    def __init__(self, data: tuple[Tensor, Tensor], change: float = 0.0) -> None:
        self.data, self.change, self.passes = data, change, 0

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        x, y = self.data
        order = torch.arange(len(x)).roll(5 * self.passes)
        moved = x[order] + self.change * self.passes
        self.passes += 1
        return iter([*zip(moved.split(7), y[order].split(7), strict=True)])


@pytest.mark.parametrize("examples", [None, 20])
def test_images_are_known_again_in_another_order(
    model: nn.Module, data: tuple[Tensor, Tensor], examples: int | None
) -> None:
    once = nenni.evaluate(model, data, eps=EPS, examples=examples)
    again = nenni.evaluate(model, Turning(data), eps=EPS, examples=examples)
    assert again.notes.keys() == once.notes.keys()
    pd.testing.assert_series_equal(again.robust, once.robust)


def test_data_that_cannot_be_gone_through_again(
    model: nn.Module, data: tuple[Tensor, Tensor]
) -> None:
    with pytest.raises(UserError, match="needed several times"):
        nenni.evaluate(model, iter([data]), eps=EPS)
    with pytest.raises(UserError, match="32 of 32 images were not among them"):
        nenni.evaluate(model, Turning(data, 1e-4), eps=EPS)


def test_work_of_both_passes_is_resumed(
    model: nn.Module, data: tuple[Tensor, Tensor], tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = tmp_path_factory.mktemp("kept") / "evaluation.pt"

    def kill(line: str) -> None:
        if line.startswith("square_5000, image 20"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nenni.evaluate(model, data, eps=EPS, batch_size=10, resume=kept, progress=kill)
    lines: list[str] = []
    again = nenni.evaluate(model, data, eps=EPS, batch_size=10, resume=kept, progress=lines.append)
    assert lines[0] == "resumed after 10 parts"
    assert [line.split(",")[1].split(" ")[1] for line in lines[1:]] == ["image", "batch"] * 2
    whole = nenni.evaluate(model, data, eps=EPS, batch_size=10)
    pd.testing.assert_frame_equal(again.examples, whole.examples)
    pd.testing.assert_frame_equal(again.summary, whole.summary)


def test_the_few_are_the_same_in_any_order() -> None:
    """They were the first of the first batch."""
    x, y = torch.rand(100, 1, 3, 3), torch.arange(100) % 7
    x[1] = x[0]
    found = []
    for order in (torch.arange(100), torch.arange(100).flip(0)):
        for size in (1, 40, 100):
            seen = Seen()
            for batch in order.split(size):
                seen.add(x[batch], y[batch])
            assert len(seen) == 100
            found.append(seen.few)
    for images, labels in found:
        assert len(images) == 32
        assert torch.equal(images, found[0][0])
        assert torch.equal(labels, found[0][1])
    seen.add(torch.rand(2, 1, 5, 5), torch.zeros(2, dtype=torch.int64))
    assert torch.equal(seen.few[0], images)


def test_each_image_is_met_once() -> None:
    x, y = torch.rand(4, 1, 2, 2), torch.zeros(4, dtype=torch.int64)
    x[2] = x[0]
    seen = Seen()
    seen.add(x, y)
    other = torch.rand(1, 1, 2, 2)
    passes = [(torch.cat([x[:1], other, x[3:]]), y[:3]), (x[[2, 0, 1]], y[:3]), (other, y[:1])]
    found = [(images.tolist(), rows) for images, _, rows in seen.again(iter(passes))]
    assert found == [(x[[0, 3]].tolist(), [0, 3]), (x[[2, 1]].tolist(), [2, 1])]
    assert [*seen.again([(x, y + 1)])] == [], "of another class"


def test_an_attack_goes_on_where_it_broke_what_those_before_it_did_not() -> None:
    """Images that an earlier attack had broken, and it was not asked about, were counted as its."""

    def table(flags: list[int], backwards: int = 0) -> pd.DataFrame:
        columns = dict.fromkeys(("adv_correct", "adv_chosen", "any_correct", "any_chosen"), flags)
        clean = dict.fromkeys(("clean_correct", "clean_chosen"), [1] * len(flags))
        return pd.DataFrame({**columns, **clean, "backwards": backwards})

    gradients = {"pgd": table([1, 1, 1, 1, 0], 20)}
    square = gradients | {"square": table([0, 0, 1, 1, 0])}
    assert breaks_more(square, "square")
    assert not breaks_more(square | {"rays": table([0, 0, 1, 1, 0])}, "rays")
    assert breaks_more(square | {"rays": table([0, 0, 0, 0, 0])}, "rays")
    assert not breaks_more(square, "rays")
    assert not breaks_more({"square": square["square"]}, "square"), "no gradient was asked"
