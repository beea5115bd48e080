import copy
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from deployment_cases import KERNELS, images, kernel_or_skip, small
from torch import Tensor, nn

import nenni
from nenni.core.errors import UserError
from nenni.core.io import read_json, write_json
from nenni.deployment import choosing
from nenni.deployment.choosing import Measured
from nenni.deployment.deploy import Deployed
from nenni.deployment.rounded import Rounded
from nenni.method.injection import noisy_layers

NAMES = ["3.conv1", "3.conv2", "4.conv1", "4.conv2"]


@pytest.fixture(scope="module")
def everywhere() -> Deployed:
    return nenni.deploy(small(), images(16), skip="everywhere", kernel="torch")


def test_answers_are_those_of_the_simulation(everywhere: Deployed) -> None:
    x = images(64)
    with torch.no_grad():
        simulated = everywhere.simulation(x)
    logits = everywhere(x)
    assert (logits.argmax(1) == simulated.argmax(1)).float().mean() > 0.95
    apart = (logits - simulated).abs()
    assert apart.median() < 0.01 * simulated.std()
    assert apart.max() < 0.2 * simulated.std()  # of an image for which a tile is another one
    assert (apart.amax(1) > 0.01 * simulated.std()).float().mean() < 0.05


def test_the_network_is_not_changed_and_rounds_where_it_is_deployed(everywhere: Deployed) -> None:
    noisy = small()
    before = copy.deepcopy(noisy.state_dict())
    deployed = nenni.deploy(noisy, images(16), skip="everywhere", kernel="torch")
    assert all(torch.equal(before[name], value) for name, value in noisy.state_dict().items())
    assert [name for name, _ in noisy_layers(deployed.simulation)] == NAMES
    assert sum(isinstance(m, Rounded) for m in deployed.simulation.modules()) == 6
    assert torch.equal(deployed(images(8)), everywhere(images(8)))


@pytest.mark.long
def test_a_simulation_is_evaluated_and_its_deployment_attacked_by_its_answers(
    everywhere: Deployed,
) -> None:
    x = images(6)
    labels = everywhere(x).argmax(1)
    attacks = {"surrogate": {"name": "pgd", "steps": 2, "surrogate": {"name": "soft_mask"}}}
    found = nenni.evaluate(everywhere.simulation, (x, labels), attacks, eps=0.03)
    assert len(found.examples) == len(x)
    square = {"square": {"name": "square", "queries": 5}}
    assert len(nenni.evaluate(everywhere, (x, labels), square, eps=0.03).examples) == len(x)
    with pytest.raises(UserError, match=r"give no gradient .* of quantised layers"):
        nenni.evaluate(everywhere, (x, labels), attacks, eps=0.03)


def test_a_copy_answers_alike(everywhere: Deployed) -> None:
    assert torch.equal(copy.deepcopy(everywhere)(images(4)), everywhere(images(4)))


def test_a_copy_shares_nothing_with_what_it_was_made_of() -> None:
    first, x = nenni.deploy(small(), images(16), skip="nowhere", kernel="torch"), images(4)
    second = copy.deepcopy(first)
    expected = second(x)
    with torch.no_grad():
        first.simulation.state_dict()["7.weight"].mul_(2)
    assert not torch.equal(first(x), expected)
    assert torch.equal(second(x), expected)


def test_it_stays_in_eval_mode() -> None:
    network = small()
    assert isinstance(network, nn.Sequential)
    network.insert(7, nn.Dropout(0.5))
    deployed, x = nenni.deploy(network, images(16), skip="nowhere", kernel="torch"), images(4)
    expected = deployed(x)
    assert deployed.train() is deployed
    with torch.no_grad():
        assert torch.equal(deployed.simulation(x), deployed.simulation(x))
    assert torch.equal(deployed(x), expected)


def test_choices_are_measured_once_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "choices.json"
    first = nenni.deploy(small(), images(4), choices=file, kernel="torch")
    assert [*first.times] == NAMES
    kept = read_json(file)
    assert (kept["batch"], kept["kernel"]) == (4, "torch")
    kept["seconds"] = {
        name: {"dense": 1.0, "skipping": 2.0 if name == "3.conv1" else 0.5} for name in NAMES
    }
    write_json(file, kept)
    again = nenni.deploy(small(), images(4), choices=str(file), kernel="torch")
    assert [name for name, _ in noisy_layers(again.simulation)] == NAMES[1:]
    assert again.times["3.conv1"].dense == 1.0
    assert nenni.deploy(small(), images(4), choices=file).kernel == "torch", "the kernel of a file"


@pytest.mark.parametrize("dense", [NAMES, NAMES[:1], []])
@pytest.mark.parametrize("kernel", KERNELS[1:])
def test_the_whole_network_decides_and_the_file_keeps_it(
    kernel: str, dense: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is faster alone."""
    kernel_or_skip(kernel)

    def decide(
        times: dict[str, Measured], network: Any, x: Tensor, used: str
    ) -> dict[str, Measured]:
        assert (len(x), used, [*times]) == (4, kernel, NAMES)
        assert not [*noisy_layers(network((*NAMES,)))]
        return {name: replace(t, skips=name not in dense) for name, t in times.items()}

    monkeypatch.setattr(choosing, "in_a_network", decide)
    file = tmp_path / "choices.json"
    first = nenni.deploy(small(), images(4), choices=file, kernel=kernel)
    monkeypatch.setattr(choosing, "in_a_network", None)
    again = nenni.deploy(small(), images(4), choices=file, kernel=kernel)
    for deployed in (first, again):
        left = [name for name, _ in noisy_layers(deployed.simulation)]
        assert left == [name for name in NAMES if name not in dense]
    assert again.times == first.times


class Grouped(nn.Module):
    """Layers that are registered in another order than they run in."""

    def __init__(self) -> None:
        super().__init__()
        convolutions = (nn.Conv2d(channels, 16, 3) for channels in (3, 16, 16))
        self.odd = nn.ModuleDict({"a": next(convolutions), "c": next(convolutions)})
        self.even = nn.ModuleDict({"b": next(convolutions)})

    def forward(self, x: Tensor) -> Tensor:
        return self.odd["c"](self.even["b"](self.odd["a"](x))).mean((2, 3))  # type: ignore[no-any-return]


def test_kept_choices_hold_whatever_the_order_of_the_layers(tmp_path: Path) -> None:
    chosen: dict[str, Any] = {"exact_bits": 8, "layers": ("*",), "min_inputs": 1}
    spec = nenni.InjectionSpec(nenni.Block(0.5), nenni.TapShared(0.5), **chosen)
    noisy = nenni.inject(Grouped().eval(), spec, images(1))
    nenni.fit(noisy, images(8))
    for _ in range(2):
        found = nenni.deploy(noisy, images(4), choices=tmp_path / "c.json", kernel="torch")
        assert [*found.times] == ["odd.a", "even.b", "odd.c"]


def test_choices_of_a_gpu_are_none_of_a_cpu(tmp_path: Path) -> None:
    file = tmp_path / "choices.json"
    nenni.deploy(small(), images(4), choices=file, kernel="torch")
    write_json(file, read_json(file) | {"kernel": "triton"})
    with pytest.raises(UserError, match="was measured on a GPU, and the network is on the CPU"):
        nenni.deploy(small(), images(4), choices=file, kernel="torch")


def test_images_elsewhere_are_refused(everywhere: Deployed) -> None:
    with pytest.raises(UserError, match="deployed on cpu, and the images are on meta"):
        everywhere(images(4).to("meta"))


def test_nowhere_is_the_dense_network() -> None:
    nowhere = nenni.deploy(small(), images(8), skip="nowhere", kernel="torch")
    assert not [*noisy_layers(nowhere.simulation)]
    with torch.no_grad():
        torch.testing.assert_close(
            nowhere(images(8)), nowhere.simulation(images(8)), rtol=0, atol=0.05
        )


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({"exact_bits": 32}, "its exact path has 32 bits; choose exact_bits=8"),
        ({"weight_bits": 16}, "its approximation has more than 8 bits"),
        ({"noise": nenni.Zero()}, "its noise is Zero"),
    ],
)
def test_what_no_kernel_does_is_refused(choices: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=f"layer 3.conv1 cannot be deployed: {re.escape(told)}"):
        nenni.deploy(small(**choices), images(4))


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            nenni.InjectionSpec(nenni.TopK(0.5), nenni.TapShared(0.5), exact_bits=8),
            "its selection TopK",
        ),
        (
            nenni.InjectionSpec(nenni.Block(0.5), nenni.Sparse(0.5), exact_bits=8),
            "its projection Sparse",
        ),
    ],
)
def test_scattered_neurons_and_dear_projections_are_refused(
    spec: nenni.InjectionSpec, told: str
) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(200, 2))
    noisy = nenni.inject(network.eval(), spec, images(1))
    with pytest.raises(UserError, match=told):
        nenni.deploy(noisy, images(4))


def test_injected_layers_that_no_kernel_has_stay_as_they_are(tmp_path: Path) -> None:
    """And the choices that are kept are of the others alone."""
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.Conv2d(16, 16, 3, padding=1, padding_mode="circular"),
        nn.Flatten(),
        nn.Linear(784, 32),
        nn.Linear(32, 2),
    )
    spec = nenni.InjectionSpec(
        nenni.Block(0.5), nenni.TapShared(0.5), exact_bits=8, layers=("[124]",)
    )
    noisy = nenni.inject(network.eval(), spec, images(1))
    nenni.fit(noisy, images(16))
    for _ in range(2):
        deployed = nenni.deploy(noisy, images(4), choices=tmp_path / "c.json", kernel="torch")
        assert [*deployed.times] == ["1"]
        with torch.no_grad():
            simulated = deployed.simulation(images(4))
        assert (deployed(images(4)) - simulated).abs().median() < 0.01 * simulated.std()


def test_weights_that_are_computed_are_those_of_now() -> None:
    noisy = small()
    layer: Any = noisy.get_submodule("3.conv1")
    torch.nn.utils.weight_norm(layer.wrapped)
    with torch.no_grad():
        layer.wrapped.weight_g.mul_(2)
    deployed = nenni.deploy(noisy, images(8), skip="nowhere", kernel="torch")
    with torch.no_grad():
        simulated = deployed.simulation(images(8))
    torch.testing.assert_close(deployed(images(8)), simulated, rtol=0, atol=0.05)


class Steered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.conv = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3)
        self.head = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        z = self.conv(self.first(x)).mean((2, 3))
        return self.head(z if z.sum() > 0 else -z)


def test_other_mistakes_are_told() -> None:
    with pytest.raises(UserError, match="no injected layers"):
        nenni.deploy(nn.Sequential(nn.Conv2d(3, 4, 3)), images(2))
    with pytest.raises(
        UserError, match="skip should be where faster, everywhere or nowhere, got 'x'"
    ):
        nenni.deploy(small(), images(2), skip="x", kernel="torch")
    with pytest.raises(UserError, match=r"kernel should be one of .*torch, got 'gpu'"):
        nenni.deploy(small(), images(2), kernel="gpu")
    with pytest.raises(UserError, match=r"for images of shape \(3, 9, 9\), and got \(3, 8, 8\)"):
        nenni.deploy(small(), images(2), skip="nowhere", kernel="torch")(images(2, 8))
    spec = nenni.InjectionSpec(
        nenni.Block(0.5), nenni.TapShared(0.5), exact_bits=8, layers=("conv",)
    )
    noisy = nenni.inject(Steered().eval(), spec, images(1))
    nenni.fit(noisy, images(8))
    with pytest.raises(UserError, match=r"torch.fx cannot trace Steered"):
        nenni.deploy(noisy, images(2))


def test_a_norm_by_the_statistics_of_each_batch_is_torchs() -> None:
    norm = nn.BatchNorm2d(16, track_running_stats=False)
    network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU())
    network.extend([nn.Conv2d(16, 16, 3), norm, nn.AdaptiveAvgPool2d(1), nn.Flatten()])
    chosen: dict[str, Any] = {"exact_bits": 8, "layers": ("2",)}
    spec = nenni.InjectionSpec(nenni.Block(0.5), nenni.TapShared(0.5), **chosen)
    noisy, x = nenni.inject(network.eval(), spec, images(1)), images(16)
    nenni.fit(noisy, x)
    deployed = nenni.deploy(noisy, x, skip="everywhere", kernel="torch")
    with torch.no_grad():
        torch.testing.assert_close(deployed(x), deployed.simulation(x), rtol=0, atol=0.05)
