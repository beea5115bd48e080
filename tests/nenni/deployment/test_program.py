from collections.abc import Callable
from typing import Any

import pytest
import torch
from deployment_cases import KERNELS, around, images, kernel_or_skip, small, steps_beside_simulation
from torch import Tensor, nn

import nenni
from nenni.core.errors import UserError
from nenni.deployment import compiled_path, program, torch_path
from nenni.deployment.compiled import TRITON
from nenni.deployment.deploy import deploy
from nenni.deployment.plane import Plane
from nenni.method.injection import on_path

FEW = 2e-3
"""Share of codes that rounding of other sums may turn by one step."""


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"input_bits": 4, "projected_bits": 4},
        {"weight_bits": 8, "score": "magnitude"},
        {"normalise": False, "tile": (32, 3)},
        {"tile": (64, 1000)},
        {"fraction": 0.0},
        {"fraction": 1.0},
        {"width": 7, "tile": (16, 8)},
        {"size": 12, "tile": (16, 20)},
        {"size": 8, "tile": (32, 8)},
    ],
    ids=str,
)
def test_each_layer_gives_the_codes_of_the_simulation(kernel: str, choices: dict[str, Any]) -> None:
    size = choices.get("size", 9)
    network = deploy(
        small(**choices), images(16, size), skip="everywhere", kernel=kernel_or_skip(kernel)
    )
    found = dict(steps_beside_simulation(network, images(7, size)))
    assert len(found) == 6
    for name, steps in found.items():
        assert (steps > 0.5).float().mean() < FEW, name
        assert steps.max() < 1.5, name


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("kernel_size", "stride", "dilation", "padding"),
    [(9, 1, 1, 4), (3, 2, 2, 2), (1, 1, 1, 0), (2, 3, 1, 1), ((5, 3), (1, 2), (1, 2), (2, 1))],
    ids=str,
)
def test_taps_in_the_padding_are_left_out_for_any_geometry(
    kernel: str, kernel_size: Any, stride: Any, dilation: Any, padding: Any
) -> None:
    """Rows of 12 positions, which are taken in fours; of 81 taps all are taken."""
    torch.manual_seed(0)
    layer = nn.Conv2d(16, 24, kernel_size, stride, padding, dilation)
    x = images(8, 12)
    noisy = around(layer, 12)
    deployed = deploy(noisy, x, skip="everywhere", kernel=kernel_or_skip(kernel))
    for name, steps in steps_beside_simulation(deployed, x):
        assert (steps > 0.5).float().mean() < FEW, name


@pytest.mark.parametrize("kernel", KERNELS)
def test_all_tiles_exact_is_the_dense_network_and_none_is_the_approximation(kernel: str) -> None:
    kernel_or_skip(kernel)
    x = images(5)
    everything = deploy(small(1.0), x, skip="everywhere", kernel=kernel)
    nowhere = deploy(small(1.0), x, skip="nowhere", kernel=kernel)
    assert torch.equal(everything(x), nowhere(x))
    nothing = deploy(small(0.0), x, skip="everywhere", kernel=kernel)
    with torch.no_grad(), on_path(nothing.simulation, "approximate"):
        torch.testing.assert_close(nothing.simulation(x), nothing(x), rtol=0, atol=0.05)


@pytest.mark.parametrize(
    ("kernel", "size", "tile"),
    [
        *((kernel, size, (16, 4)) for kernel in KERNELS for size in (9, 8)),
        *((kernel, 16, tile) for kernel in KERNELS[1:] for tile in ((16, 20), (32, 3))),
        *((kernel, 40, (16, 20)) for kernel in KERNELS[1:]),
    ],
)
def test_an_image_has_the_same_answer_in_any_batch_by_any_number_of_threads(
    kernel: str, size: int, tile: tuple[int, int]
) -> None:
    """Short rows share a register tile with the next image's, and flat images choose among equals.

    Of 31 images of 40x40 not all fit a cache, so that each thread has several groups of them.
    """
    kernel_or_skip(kernel)
    network = deploy(small(size=size, tile=tile), images(8, size), skip="everywhere", kernel=kernel)
    x, threads = images(31, size), torch.get_num_threads()
    x[::3, :, size // 3 :] = 0.5
    alone = torch.cat([network(image[None]) for image in x])
    try:
        torch.set_num_threads(3)
        together, one, two = network(x), network(x[:1]), network(x[:2])
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(
        together, alone, rtol=0, atol=1e-5
    )  # torch's pool and head sum otherwise
    torch.testing.assert_close(one, alone[:1], rtol=0, atol=1e-5)
    torch.testing.assert_close(two, alone[:2], rtol=0, atol=1e-5)
    assert network(x[:0]).shape == (0, 5)


@pytest.mark.parametrize("kernel", KERNELS[1:])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    "lie", ["channels first", "channels last", "every other column", "one image"]
)
def test_numbers_have_the_codes_that_torch_gives(kernel: str, signed: bool, lie: str) -> None:
    """Halves are rounded to even ones; what is beyond the codes is clipped."""
    kernel_or_skip(kernel)
    for scale in (0.125, 0.013):
        x = (
            torch.randint(-600, 600, (3, 5, 7, 22), generator=torch.Generator().manual_seed(3))
            * 0.5
        )
        x = x * scale
        x[0, 0, 0, :3] = torch.tensor([1e30, 0.0, -torch.inf])
        x = {
            "channels first": x[..., :11].contiguous(),
            "channels last": x[..., :11].to(memory_format=torch.channels_last),
            "every other column": x[..., ::2],
            "one image": x[:1, ..., :11].expand(3, -1, -1, -1),
        }[lie]
        plane = Plane(7, 11, 5, 2, scale, signed)
        assert torch.equal(compiled_path.to_codes(x, plane), torch_path.to_codes(x, plane))
        assert compiled_path.to_codes(x[:0], plane).shape == (0, 11, 15, 8)


class Preactivated(nn.Module):
    """A residual stream that is not rounded, a concatenation, a clipped ReLU, an unpadded layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.norm, self.conv1 = nn.BatchNorm2d(16), nn.Conv2d(16, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, (3, 5), padding=(0, 2), dilation=1)
        self.depthwise = nn.Conv2d(32, 32, 3, groups=32)
        self.head = nn.Linear(64, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.conv1(torch.relu(self.norm(x)))
        z = nn.functional.relu6(self.conv2(x))
        y = self.depthwise(torch.cat([z[:, :16], x[:, :, 1:-1]], 1))
        return self.head(torch.cat([y.mean((2, 3)), y.amax((2, 3))], 1))


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_no_kernel_computes_is_torchs_and_layers_may_give_numbers(kernel: str) -> None:
    x = images(8)
    spec = nenni.InjectionSpec(
        nenni.Block(0.5, 16, 4), nenni.TapShared(0.5), exact_bits=8, layers=("conv*",)
    )
    noisy = nenni.inject(Preactivated().eval(), spec, x)
    nenni.fit(noisy, x)
    network = deploy(noisy, x, skip="everywhere", kernel=kernel_or_skip(kernel))
    found = dict(steps_beside_simulation(network, x))
    assert [*found] == ["stem", "conv1", "conv2"]
    for name, off in found.items():
        assert (off > 0.01).float().mean() < FEW, name


def _broken(change: Callable[[nn.Module], None]) -> float:
    """Share of a layer's codes that are off after a change of the network beside its simulation."""
    network = deploy(small(), images(8), skip="everywhere", kernel="torch")
    change(network.simulation)
    return max(
        float((off > 0.5).float().mean()) for _, off in steps_beside_simulation(network, images(7))
    )


@pytest.mark.parametrize("part", ["W_tilde", "b_tilde", "weight", "projected_scale"])
def test_the_comparison_notices_a_part_that_differs(part: str) -> None:
    def change(simulation: nn.Module) -> None:
        layer: Any = simulation.get_submodule("3.conv1")
        tensor = layer.wrapped.weight if part == "weight" else getattr(layer, part)
        with torch.no_grad():
            tensor.mul_(1.3) if part != "b_tilde" else tensor.add_(0.2)

    assert _broken(lambda _: None) < FEW < _broken(change)


def test_a_tile_that_a_gpu_does_not_hold_is_refused_with_its_layer() -> None:
    network = deploy(small(tile=(32, 3)), images(8), skip="everywhere", kernel="torch")
    assert program.program(network.simulation, TRITON).steps, "small ones are built for a GPU"
    network = deploy(
        small(tile=(400, 900), size=40, width=24), images(4, 40), skip="everywhere", kernel="torch"
    )
    with pytest.raises(
        UserError, match=r"3\.conv1 .* on a GPU: its tiles of 24 channels x 900 pos"
    ):
        program.program(network.simulation, TRITON)
