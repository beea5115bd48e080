"""Batch norms that take the statistics of what reaches them in the injected network."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nenni.method.fit import fit
from nenni.method.fitting.batch_norms import pooled
from nenni.method.fitting.in_order import measure_batch_norms, work_in_order
from nenni.method.injection import inject, set_path
from nenni.method.report import report
from nenni.method.selection.threshold import Threshold
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.method.visit import Seen, visit_all
from nenni.networks.hooks import hooked
from nenni.networks.models.resnet_cifar import resnet_cifar
from nenni.networks.tracing import BatchNorm

MakeSpec = Callable[..., InjectionSpec]


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def resnet(images: Tensor) -> nn.Module:
    model = resnet_cifar((3, 16, 16), 10, depth=8)
    with torch.no_grad():
        for _ in range(100):
            model(images)
    return model.eval()


def statistics(noisy: nn.Module, x: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Mean and variance per channel of what reaches each batch norm, by name."""
    found: dict[str, tuple[Tensor, Tensor]] = {}

    def look(name: str, x: Tensor) -> None:
        variance, mean = torch.var_mean(x.double(), (0, 2, 3), correction=0)
        found[name] = mean, variance

    handles = [
        m.register_forward_pre_hook(lambda _, x, n=n: look(n, x[0]))
        for n, m in noisy.named_modules()
        if isinstance(m, BatchNorm)
    ]
    with hooked(handles), torch.no_grad():
        noisy(x)
    return found


@pytest.mark.parametrize("inputs", ["injected", "exact"])
@pytest.mark.parametrize("normalise", [True, False])
def test_measured_statistics_are_those_of_the_injected_network(
    resnet: nn.Module, make_spec: MakeSpec, images: Tensor, inputs: str, normalise: bool
) -> None:
    """But for what the mask moves once more, where scores go through them."""
    noisy = inject(resnet, make_spec(selection=TopK(0.3), normalise=normalise), images[:1])
    fit(noisy, images, inputs=inputs, batch_norms="measured")
    for name, (mean, variance) in statistics(noisy, images).items():
        norm = noisy.get_submodule(name)
        near = 0.3 if normalise else 1e-3
        scale = variance.sqrt().mean()
        assert (norm.running_mean - mean).abs().mean() < near * scale
        assert (norm.running_var / variance - 1).abs().mean() < near


def test_kept_statistics_are_the_exact_networks(
    resnet: nn.Module, make_spec: MakeSpec, images: Tensor
) -> None:
    noisy = inject(resnet, make_spec(), images[:1])
    fit(noisy, images, batch_norms="kept")
    set_path(noisy, "exact")
    torch.testing.assert_close(noisy(images), resnet(images))


def test_with_every_neuron_exact_nothing_moves(
    resnet: nn.Module, make_spec: MakeSpec, images: Tensor
) -> None:
    noisy = inject(resnet, make_spec(selection=TopK(1.0)), images[:1])
    fit(noisy, images, inputs="injected", batch_norms="measured")
    torch.testing.assert_close(noisy(images), resnet(images), rtol=1e-2, atol=1e-2)
    for name, tensor in resnet.named_buffers():
        torch.testing.assert_close(noisy.get_buffer(name), tensor, rtol=1e-2, atol=1e-2)


def test_targets_are_the_exact_networks_whatever_is_measured_before(
    resnet: nn.Module, make_spec: MakeSpec, images: Tensor
) -> None:
    """All layers are fitted to the same z, with and without measured statistics."""
    targets: list[dict[str, Tensor]] = []
    for measured in (True, False):
        noisy = inject(resnet, make_spec(selection=TopK(0.0)), images[:1])
        found: dict[str, Tensor] = {}

        def work(seen: Seen, found: dict[str, Tensor] = found) -> None:
            visit_all(seen, lambda name, _, __, z: found.update({name: z}))

        work_in_order(noisy, images, len(images), work, measured=measured)
        targets.append(found)
    for name, z in targets[0].items():
        torch.testing.assert_close(z, targets[1][name], rtol=1e-4, atol=1e-4)


def test_it_is_the_network_that_is_measured_that_is_answered_with(
    resnet: nn.Module, make_spec: MakeSpec, images: Tensor
) -> None:
    """The means of its activations are no longer off, where few neurons are exact."""

    def shift(batch_norms: str) -> float:
        noisy = inject(resnet, make_spec(selection=TopK(0.0)), images[:1])
        fit(noisy, images, inputs="exact", batch_norms=batch_norms)
        means = statistics(noisy, images)
        moved = [
            ((noisy.get_submodule(n).running_mean - mean) / variance.sqrt()).abs().mean()
            for n, (mean, variance) in means.items()
        ]
        return float(torch.stack(moved).mean())

    assert shift("measured") < 0.05 * shift("kept")


@pytest.mark.long
@pytest.mark.parametrize("inputs", ["injected", "exact"])
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("block_epochs", [0, 2])
def test_thresholds_hold_the_fraction_behind_measured_norms(
    resnet: nn.Module, make_spec: MakeSpec, images: Tensor, inputs: str, normalise: bool,
    block_epochs: int,
) -> None:  # fmt: skip
    """Those of the exact network's scores would not."""
    spec = make_spec(selection=Threshold(0.25), normalise=normalise)
    noisy = inject(resnet, spec, images[:1])
    fit(
        noisy, images, inputs=inputs, batch_norms="measured", batch_size=32,
        block_epochs=block_epochs, lr=0.01,
    )  # fmt: skip
    assert (report(noisy, images)["fraction"] - 0.25).abs().max() < 0.03


@pytest.mark.parametrize("sizes", [[64], [32, 32], [40, 16, 8]])
def test_statistics_of_batches_are_pooled(
    resnet: nn.Module, make_spec: MakeSpec, images: Tensor, sizes: list[int]
) -> None:
    """They are those of all images at once, but for what batches differ by before a later norm."""
    noisy = inject(resnet, make_spec(selection=TopK(0.3), normalise=False), images[:1])
    fit(noisy, images, batch_norms="kept")
    measure_batch_norms(noisy, images.split(sizes))
    found = {name: tensor.clone() for name, tensor in noisy.named_buffers()}
    work_in_order(noisy, images, 64, lambda _: None, measured=True)
    for name, norm in noisy.named_modules():
        if isinstance(norm, BatchNorm):
            mean, variance = norm.running_mean, norm.running_var
            off = (found[f"{name}.running_mean"] - mean).abs().mean() / variance.sqrt().mean()
            assert off < (0.1 if len(sizes) > 1 else 1e-6)
            ratio = found[f"{name}.running_var"] / variance
            assert (ratio - 1).abs().mean() < (0.1 if len(sizes) > 1 else 1e-6)


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.integers(0, 2**31),
)
def test_pooled_moments_are_those_of_all_rows(sizes: list[int], seed: int) -> None:
    rows = torch.randn(sum(sizes), 3, generator=torch.Generator().manual_seed(seed)).double()
    parts = [torch.var_mean(part, 0, correction=0)[::-1] for part in rows.split(sizes)]
    variance, mean = torch.var_mean(rows, 0, correction=0)
    torch.testing.assert_close(pooled(sizes, parts), (mean, variance))


def test_a_network_without_batch_norms_is_not_gone_through_for_them(make_spec: MakeSpec) -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8 * 12 * 12, 3)
    )
    noisy = inject(model, make_spec(min_inputs=20), torch.rand(1, 3, 16, 16))
    measure_batch_norms(noisy, (pytest.fail("an image was asked for") for _ in range(1)))


def test_a_norm_without_statistics_is_left_alone(make_spec: MakeSpec, images: Tensor) -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, track_running_stats=False), nn.ReLU(),
        nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8, affine=False), nn.ReLU(), nn.Flatten(),
        nn.Linear(8 * 12 * 12, 3),
    ).eval()  # fmt: skip
    noisy = inject(model, make_spec(min_inputs=20), images[:1])
    fit(noisy, images, inputs="injected", batch_norms="measured")
    assert noisy[1].running_mean is None
    assert not torch.equal(noisy[4].running_mean, model[4].running_mean)


class Shared(nn.Module):
    """Applies one norm two times, to values of two kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.norm = nn.Linear(12, 16), nn.Linear(16, 16), nn.BatchNorm1d(16)
        self.last = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.a(x.flatten(1)))
        self.norm(3 * self.b(torch.ones_like(h)) + 5 + x.mean((1, 2, 3))[:, None])
        return self.last(h)


@pytest.mark.parametrize("inputs", ["injected", "exact"])
def test_a_norm_that_is_called_again_takes_the_statistics_of_all_calls(
    make_spec: MakeSpec, inputs: str
) -> None:
    x = torch.rand(64, 3, 2, 2)
    spec = make_spec(selection=TopK(1.0), min_inputs=1, layers=("a", "b"))
    noisy = inject(Shared().eval(), spec, x[:1])
    fit(noisy, x, inputs=inputs, batch_norms="measured")
    reached: list[Tensor] = []
    norm = noisy.norm
    with hooked([norm.register_forward_pre_hook(lambda _, x: reached.append(x[0]))]):
        noisy(x)
    variance, mean = torch.var_mean(torch.cat(reached), 0, correction=0)
    torch.testing.assert_close(norm.running_mean, mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.running_var, variance, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_size", [80, 4])
def test_thresholds_hold_the_fraction_whatever_the_batches(
    make_spec: MakeSpec, batch_size: int
) -> None:
    """Of images that differ, each batch has norms of its own."""
    x = torch.randn(80, 3, 2, 2) * torch.linspace(0.2, 3, 80)[torch.randperm(80), None, None, None]
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(12, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 64),
        nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(),
        nn.Linear(64, 3),
    )  # fmt: skip
    for _ in range(50):
        model(x)
    noisy = inject(model.eval(), make_spec(selection=Threshold(0.3), normalise=True), x[:1])
    fit(noisy, x, batch_size=batch_size)
    assert (report(noisy, x)["fraction"] - 0.3).abs().max() < 0.002
