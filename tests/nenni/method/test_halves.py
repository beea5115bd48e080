"""Passes that hold two batches, of networks that hold several views or rows of an image."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.method.fit import fit
from nenni.method.fitting.in_order import work_in_order
from nenni.method.halves import Halves, halves_of
from nenni.method.injection import inject, noisy_layers
from nenni.method.report import report
from nenni.method.selection.all import All
from nenni.method.spec import InjectionSpec
from nenni.method.visit import Seen
from nenni.networks.hooks import hooked

MakeSpec = Callable[..., InjectionSpec]
EXACT = {"weight_bits": 32, "input_bits": 32, "projected_bits": 32}
X = torch.rand(12, 3, 8, 8, generator=torch.Generator().manual_seed(0))
X[..., :4] *= 0.2


class Views(nn.Module):
    """Looks at an image in two ways, all images in one way behind all in the other."""

    def __init__(
        self, first: Callable[[Tensor], Tensor], second: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.stem, self.a = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)
        self.norm, self.b, self.last = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.stem(torch.cat([self.first(x), self.second(x)])))
        h = torch.relu(self.b(torch.relu(self.norm(self.a(h)))))
        return torch.stack(self.last(h.mean((2, 3))).chunk(2)).mean(0)


@pytest.fixture
def views() -> nn.Module:
    model = Views(lambda x: x, lambda x: 1 - x)
    with torch.no_grad():
        for _ in range(60):
            model(X)
    return model.eval()


@pytest.mark.parametrize(("views", "rows"), [(1, 1), (1, 3), (2, 1), (3, 2)])
def test_what_is_taken_apart_is_put_together_again(views: int, rows: int) -> None:
    images, halves = 5, Halves(views, rows)
    number = torch.arange(2 * images)[None, :, None].expand(views, -1, rows)
    both = torch.stack([number, torch.rand(views, 2 * images, rows)], 3).flatten(0, 2)
    first, second = halves.apart(both)
    assert (first[:, 0] < images).all()
    assert (second[:, 0] >= images).all()
    assert torch.equal(halves.together(first, second), both)
    assert halves.by_image(first)[:, 0].tolist() == [
        i for i in range(5) for _ in range(views * rows)
    ]


@pytest.mark.parametrize("inputs", ["injected", "exact"])
def test_with_every_neuron_exact_nothing_moves(
    views: nn.Module, make_spec: MakeSpec, inputs: str
) -> None:
    noisy = inject(views, make_spec(selection=All(), min_inputs=1, **EXACT), X[:1])
    fit(noisy, X, inputs=inputs, batch_norms="kept")
    assert torch.equal(noisy(X), views(X))
    assert (report(noisy, X)["drift"] == 0).all()


def test_the_first_layer_is_fitted_the_same_either_way(
    views: nn.Module, make_spec: MakeSpec
) -> None:
    found = []
    for inputs in ("injected", "exact"):
        noisy = inject(views, make_spec(min_inputs=1), X[:1])
        fit(noisy, X, inputs=inputs, batch_norms="kept")
        found.append(dict(noisy_layers(noisy))["a"].W_tilde)
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("inputs", ["injected", "exact"])
def test_norms_take_the_statistics_of_all_views(
    views: nn.Module, make_spec: MakeSpec, inputs: str
) -> None:
    noisy = inject(views, make_spec(selection=All(), min_inputs=1), X[:1])
    fit(noisy, X, inputs=inputs, batch_norms="measured")
    reached: list[Tensor] = []
    norm = noisy.norm
    handle = norm.register_forward_pre_hook(lambda _, x: reached.append(x[0]))  # type: ignore[operator, union-attr]
    with hooked([handle]), torch.no_grad():
        noisy(X)
    variance, mean = torch.var_mean(reached[0], (0, 2, 3), correction=0)
    torch.testing.assert_close(norm.running_mean, mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.running_var, variance, rtol=1e-4, atol=1e-5)


def test_some_images_are_seen_with_all_their_views(views: nn.Module, make_spec: MakeSpec) -> None:
    noisy = inject(views, make_spec(selection=All(), min_inputs=1), X[:1])
    alone: list[Tensor] = []
    handle = views.a.register_forward_pre_hook(lambda _, x: alone.append(x[0]))  # type: ignore[operator, union-attr]
    with hooked([handle]), torch.no_grad():
        views(X[[4, 7]])
    seen: list[Tensor] = []

    def work(of: Seen) -> None:
        if "a" in of.layers:
            for batch in of.batches(torch.tensor([4, 7])):
                batch(lambda _, __, x, z: seen.append(x))

    work_in_order(noisy, X, 2, work)
    expected = alone[0].unflatten(0, (2, 2)).transpose(0, 1).flatten(0, 1)
    torch.testing.assert_close(seen[0], expected)


def test_rows_that_hang_on_other_images_are_refused(make_spec: MakeSpec) -> None:
    noisy = inject(Views(lambda x: x, lambda x: x.flip(0)).eval(), make_spec(min_inputs=1), X[:1])
    layers = [layer for _, layer in noisy_layers(noisy)]
    with pytest.raises(UserError, match=r"what reaches a of one image .* inputs='exact'"):
        halves_of(noisy, X[:1], layers)
    with pytest.raises(UserError, match="hangs on the others"):
        report(noisy, X)
    fit(noisy, X, inputs="exact", batch_norms="kept")
