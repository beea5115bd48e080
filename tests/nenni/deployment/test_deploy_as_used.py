"""What users do to a deployed network, and the networks and images that they have."""

import copy
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from deployment_cases import KERNELS, images, kernel_or_skip, small
from torch import Tensor, nn

import nenni
from nenni.core.errors import UserError
from nenni.deployment.deploy import Deployed
from nenni.method.injection import noisy_layers

BYTES: dict[str, Any] = {"exact_bits": 8, "input_bits": 8, "projected_bits": 8}


@pytest.fixture(scope="module", params=KERNELS)
def everywhere(request: pytest.FixtureRequest) -> Deployed:
    kernel = kernel_or_skip(request.param)
    return nenni.deploy(small(), images(16), skip="everywhere", kernel=kernel)


def bordered(n: int) -> Tensor:
    """Digits, as it were: black but for the middle."""
    x = torch.zeros(n, 1, 28, 28)
    x[:, :, 10:18, 10:18] = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    return x


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.75])
def test_of_tiles_of_one_score_the_first_are_exact(kernel: str, fraction: float) -> None:
    """Flat parts of an image have many: another choice of them is another network."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1)]
    network, x = nn.Sequential(*layers, nn.Flatten()).eval(), bordered(8)
    spec = nenni.InjectionSpec(nenni.Block(fraction, 16, 8), nenni.TapShared(0.5), **BYTES, layers=("2",))  # fmt: skip
    noisy = nenni.inject(network, spec, x)
    nenni.fit(noisy, x)
    deployed = nenni.deploy(noisy, x, skip="everywhere", kernel=kernel_or_skip(kernel))
    with torch.no_grad():
        apart = (deployed(x) - deployed.simulation(x)).abs()
    assert apart.max() < 1e-5


class Viewing(nn.Module):
    """Flattens a map of several pixels by ``view``, and asks what type it has."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.last = nn.Linear(32 * 9, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = F.avg_pool2d(F.relu(self.second(F.relu(self.first(x)))), 4)
        return self.last(x.view(x.size(0), -1).view(torch.int32).view(torch.float32))


class Masked(nn.Module):
    """Takes an argument beside images, which it need not get."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3)
        self.last = nn.Linear(16, 4)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits."""
        return self.last(F.relu(self.second(F.relu(self.first(x)))).mean((2, 3)))


def injected(network: nn.Module, block: nenni.Block = nenni.Block(0.5, 16, 4)) -> nn.Module:  # noqa: B008
    spec = nenni.InjectionSpec(block, nenni.TapShared(0.5), **BYTES, min_inputs=1)
    noisy = nenni.inject(network.eval(), spec, images(2, 12))
    nenni.fit(noisy, images(16, 12))
    return noisy


@pytest.mark.parametrize("kernel", KERNELS)
def test_values_are_flattened_by_view(kernel: str) -> None:
    torch.manual_seed(0)
    x = images(16, 12)
    deployed = nenni.deploy(injected(Viewing()), x, skip="everywhere", kernel=kernel_or_skip(kernel))  # fmt: skip
    with torch.no_grad():
        simulated = deployed.simulation(x)
    torch.testing.assert_close(deployed(x), simulated, rtol=0, atol=0.02 * float(simulated.std()))


def test_a_network_that_is_not_fitted_is_refused() -> None:
    """All of its tiles have one score."""
    noisy = small()
    for _, layer in noisy_layers(noisy):
        nn.init.zeros_(layer.W_tilde)
    with pytest.raises(UserError, match=r"layer 3\.conv1 .* nenni\.fit the network first"):
        nenni.deploy(noisy, images(2), kernel="torch")


def test_a_network_of_more_than_images_is_refused() -> None:
    with pytest.raises(UserError, match="Masked takes mask beside images"):
        nenni.deploy(injected(Masked()), images(2, 12), skip="everywhere", kernel="torch")


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("channels", "fits"), [(8, False), (24, False), (16, True), (100, True)])
def test_tiles_that_a_vector_does_not_fit_are_refused(
    kernel: str, channels: int, fits: bool
) -> None:
    """Where they are no multiple of its length; torch has no vectors, one tile needs none."""
    torch.manual_seed(0)
    noisy = injected(
        nn.Sequential(
            *(nn.Conv2d(3, 48, 3), nn.ReLU(), nn.Conv2d(48, 48, 3), nn.ReLU()),
            *(nn.Conv2d(48, 16, 3), nn.Flatten()),
        ),
        nenni.Block(0.4, channels, 8),
    )
    kernel = kernel_or_skip(kernel)
    if fits or kernel == "torch":
        assert nenni.deploy(noisy, images(2, 12), skip="everywhere", kernel=kernel)(images(1, 12)).isfinite().all()  # fmt: skip
    else:
        with pytest.raises(UserError, match=f"layer 2 cannot be deployed .* {channels} channels"):
            nenni.deploy(noisy, images(2, 12), skip="everywhere", kernel=kernel)


@pytest.mark.parametrize("kernel", KERNELS)
def test_weights_that_are_loaded_are_those_of_the_steps(kernel: str) -> None:
    first = nenni.deploy(small(), images(16), skip="everywhere", kernel=kernel_or_skip(kernel))
    other = small()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.5)
    second = nenni.deploy(other, images(16), skip="everywhere", kernel=kernel)
    expected = first(images(4))
    assert not torch.equal(second(images(4)), expected)
    second.load_state_dict(first.state_dict())
    assert torch.equal(second(images(4)), expected)


def test_a_file_of_it_answers_alike(everywhere: Deployed) -> None:
    file = io.BytesIO()
    torch.save(everywhere, file)
    file.seek(0)
    read = torch.load(file, weights_only=False)
    assert torch.equal(read(images(4)), everywhere(images(4)))
    assert torch.equal(copy.deepcopy(everywhere)(images(4)), everywhere(images(4)))


@pytest.mark.long
def test_a_file_of_it_is_read_by_another_process(everywhere: Deployed, tmp_path: Path) -> None:
    """Which has not built, or loaded, the kernels yet."""
    torch.save(everywhere, tmp_path / "deployed.pt")
    torch.save(everywhere(images(4)), tmp_path / "answers.pt")
    script = (
        "import sys, torch\n"
        "from deployment_cases import images\n"
        "network = torch.load(sys.argv[1], weights_only=False)\n"
        "assert torch.equal(network(images(4)), torch.load(sys.argv[2]))\n"
    )
    files = [str(tmp_path / "deployed.pt"), str(tmp_path / "answers.pt")]
    cases = Path(__file__).parents[2] / "cases"
    done = subprocess.run(
        [sys.executable, "-c", script, *files],
        env=os.environ | {"PYTHONPATH": str(cases)},
        cwd=cases.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_file_of_another_machine_is_computed_by_the_kernels_of_this_one(
    everywhere: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.BytesIO()
    torch.save(everywhere, file)
    file.seek(0)
    monkeypatch.setattr("nenni.deployment.deploy.kernels", lambda device: ("amx", "torch"))
    if everywhere.kernel == "torch":
        assert torch.load(file, weights_only=False).kernel == "torch"
        return
    with pytest.warns(
        UserWarning, match=f"by the kernel {everywhere.kernel}, which is not here: torch"
    ):
        read = torch.load(file, weights_only=False)
    assert read.kernel == "torch"
    assert (read(images(4)) - everywhere(images(4))).abs().max() < 0.01


@pytest.mark.parametrize("convert", ["double", "half", "bfloat16"])
def test_another_type_is_refused_and_changes_nothing(everywhere: Deployed, convert: str) -> None:
    before = copy.deepcopy(everywhere.state_dict())
    with pytest.raises(UserError, match=r"a deployed network stays torch\.float32 on cpu"):
        getattr(everywhere, convert)()
    torch.testing.assert_close(everywhere.state_dict(), before, rtol=0, atol=0)
    assert everywhere.cpu().float() is everywhere


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (images(2).double(), "float32 in .0, 1., got torch.float64"),
        ((images(2) * 255).byte(), "float32 in .0, 1., got torch.uint8"),
        (images(2).numpy(), "float32 in .0, 1., got ndarray"),
    ],
    ids=["double", "bytes", "numpy"],
)
def test_images_of_another_type_are_refused(everywhere: Deployed, x: Any, told: str) -> None:
    with pytest.raises(UserError, match=told):
        everywhere(x)


def test_an_example_that_the_network_does_not_accept_is_told_in_a_line() -> None:
    with pytest.raises(UserError, match="the model does not accept images") as error:
        nenni.deploy(small(), torch.rand(4, 1, 9, 9), skip="everywhere", kernel="torch")
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="has no injected layers"):
        nenni.deploy("network", images(2))  # type: ignore[arg-type]
