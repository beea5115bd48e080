"""Layers that are fitted one after the other, each behind the injected ones before it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nenni.method.fit import fit
from nenni.method.fitting.in_order import work_in_order
from nenni.method.injection import inject, noisy_layers
from nenni.method.selection.random import Random
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.method.visit import Seen, visit_all
from nenni.networks.hooks import hooked

MakeSpec = Callable[..., InjectionSpec]
EXACT = {"weight_bits": 32, "input_bits": 32, "projected_bits": 32}


def runs(network: nn.Module, x: Tensor) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """Inputs and outputs of every convolution and linear layer, call by call."""
    found: dict[str, list[tuple[Tensor, Tensor]]] = {}
    handles = [
        m.register_forward_hook(lambda _, x, z, n=n: found.setdefault(n, []).append((x[0], z)))
        for n, m in network.named_modules()
    ]
    with hooked(handles), torch.no_grad():
        network(x)
    return found


@pytest.mark.parametrize("batch_size", [7, 60, 200])
def test_a_layer_sees_its_inputs_behind_the_layers_that_are_done_and_the_exact_z(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor], batch_size: int
) -> None:
    x = digits[0][:60]
    noisy = inject(trained, make_spec(), x[:1])
    seen: dict[str, tuple[Tensor, Tensor]] = {}

    def work(of: Seen) -> None:
        parts: list[tuple[Tensor, Tensor]] = []
        visit_all(of, lambda name, layer, x, z: parts.append((x, z)))
        ((name, layer),) = of.layers.items()
        seen[name] = tuple(torch.cat(p) for p in zip(*parts, strict=True))
        nn.init.normal_(layer.W_tilde, std=0.1, generator=torch.Generator().manual_seed(len(seen)))

    work_in_order(noisy, x, batch_size, work)
    assert list(seen) == [name for name, _ in noisy_layers(noisy)]
    injected, exact = runs(noisy, x), runs(trained, x)
    for name, (inputs, z) in seen.items():
        torch.testing.assert_close(inputs, injected[name][0][0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(z, exact[name][0][1], rtol=1e-5, atol=1e-6)
    assert all(layer.path == "injected" for _, layer in noisy_layers(noisy))


def test_another_order_of_the_images_is_seen_in_batches(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    x = digits[0][:10]
    noisy = inject(trained, make_spec(), x[:1])
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))

    def work(seen: Seen) -> None:
        plain: list[Tensor] = []
        other: list[Tensor] = []
        visit_all(seen, lambda _, __, x, z: plain.append(z))
        for batch in seen.batches(order):
            batch(lambda _, __, x, z: other.append(z))
        assert seen.images() == 10
        assert [len(z) for z in other] == [4, 4, 2]
        assert torch.equal(torch.cat(other), torch.cat(plain)[order])

    work_in_order(noisy, x, 4, work)


class Twice(nn.Module):
    """Applies one layer two times, between others."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.shared = nn.Linear(12, 12), nn.Linear(12, 12)
        self.last = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x.flatten(1)))
        for _ in range(2):
            x = torch.relu(self.shared(x))
        return self.last(x)


def test_a_layer_that_is_called_again_is_fitted_to_all_its_calls(make_spec: MakeSpec) -> None:
    model = Twice().eval()
    x = torch.rand(80, 3, 2, 2)
    noisy = inject(model, make_spec(min_inputs=1, **EXACT), x[:1])
    fit(noisy, x, inputs="injected", ridge=0)
    layer = dict(noisy_layers(noisy))["shared"]
    inputs, targets = [], [z for _, z in runs(model, x)["shared"]]
    behind = runs(noisy, x)["shared"]
    inputs = [layer.projected_rounded(x) for x, _ in behind]
    design = torch.cat([torch.cat(inputs), torch.ones(160, 1)], 1).double()
    target = torch.cat(targets).double()
    best = design @ torch.linalg.lstsq(design, target).solution
    found = torch.cat([layer.approximate(x) for x, _ in behind]).double()
    least, error = (best - target).square().mean(), (found - target).square().mean()
    assert error < 1.15 * least  # the second call moved with the weights that its fit changed
    assert error > 0


def test_it_is_nearer_to_the_exact_network_than_with_exact_inputs(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    def distance(inputs: str) -> float:
        noisy = inject(trained, make_spec(selection=TopK(0.2)), digits[0][:1])
        fit(noisy, digits[0][:500], inputs=inputs)
        x = digits[0][500:]
        return float((noisy(x) - trained(x)).detach().square().mean())

    assert distance("injected") < 0.9 * distance("exact")


def test_the_first_layer_is_fitted_the_same_either_way(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    found = []
    for inputs in ("injected", "exact"):
        noisy = inject(trained, make_spec(), digits[0][:1])
        fit(noisy, digits[0][:100], inputs=inputs, batch_size=100)
        found.append([layer.W_tilde for _, layer in noisy_layers(noisy)])
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=1e-6)
    assert not torch.allclose(found[0][1], found[1][1], rtol=1e-2)


def test_a_random_selection_is_fitted_the_same_each_time_and_draws_nothing_from_outside(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    found = []
    for seed in range(2):
        torch.manual_seed(seed)
        before = torch.random.get_rng_state()
        noisy = inject(trained, make_spec(selection=Random(0.5)), digits[0][:1])
        fit(noisy, digits[0][:50], inputs="injected")
        assert torch.equal(torch.random.get_rng_state(), before)
        found.append(noisy.state_dict())
    assert all(torch.equal(tensor, found[1][name]) for name, tensor in found[0].items())


def test_a_layer_with_several_rows_for_an_image(make_spec: MakeSpec) -> None:
    """As attention in windows has them."""

    class Windows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(*(nn.Linear(6, 6) for _ in range(4)))

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x.reshape(-1, 6)).reshape(-1, 2, 6).mean(1)

    model, x = Windows().eval(), torch.rand(30, 3, 2, 2)
    noisy = inject(model, make_spec(min_inputs=1), x[:1])
    fit(noisy, x, inputs="injected", batch_size=8, epochs=1)
    assert all(layer.W_tilde.abs().sum() > 0 for _, layer in noisy_layers(noisy))


def test_earlier_calls_are_seen_as_they_were(make_spec: MakeSpec) -> None:
    """Whatever the network writes into what it gave the layer."""

    class Residual(Twice):
        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.first(x.flatten(1)))
            for _ in range(2):
                x += self.shared(x)
            return self.last(x)

    x = torch.rand(20, 3, 2, 2)
    noisy = inject(Residual().eval(), make_spec(min_inputs=1, layers=("shared",)), x[:1])
    first: list[Tensor] = []

    def work(seen: Seen) -> None:
        calls: list[Tensor] = []
        visit_all(seen, lambda _, __, x, z: calls.append(x.clone()))
        first.append(calls[0])

    work_in_order(noisy, x, 20, work)
    assert torch.equal(first[0], first[1])
