import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

import hwmodel
from nenni.core.errors import UserError
from nenni.core.io import write_json
from nenni.cost.describe import TILES, describe
from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers
from nenni.method.noise_base import Noise
from nenni.method.projection.tap_shared import TapShared
from nenni.method.projection_base import Projection
from nenni.method.selection.n_m import NM
from nenni.method.selection.random import Random
from nenni.method.selection.topk import TopK
from nenni.method.selection_base import Selection
from nenni.method.spec import InjectionSpec
from nenni.networks.models.small_cnn import small_cnn


def test_dense_macs_equal_fvcore(tmp_path: object) -> None:
    model = small_cnn((1, 28, 28), 10).eval()
    x = torch.zeros(1, 1, 28, 28)
    file = tmp_path / "layers.json"  # type: ignore[operator]
    write_json(file, describe(model, x, name="small_cnn"))
    counts = FlopCountAnalysis(model, x).by_module()
    network = hwmodel.load(file)
    terms = {t.layer: t.macs for t in hwmodel.count_operations(network)}
    assert terms == {layer.name: counts[layer.name] for layer in network.layers}
    assert sum(terms.values()) == counts[""]


@pytest.mark.parametrize(("selection", "name"), [(NM(2, 4), "n_m"), (Random(0.3), "random")])
def test_injected_layers_are_described_as_they_are(
    noisy: nn.Module, trained: nn.Module, make_spec: Callable[..., InjectionSpec],
    digits: tuple[Tensor, Tensor], selection: NM, name: str, tmp_path: object,
) -> None:  # fmt: skip
    x = digits[0][:60]
    model = inject(trained, make_spec(selection=selection, projection=TapShared(0.25)), x[:1])
    fit(model, x, epochs=0)
    found = describe(model, x, name="small_cnn", batch_size=25)
    by_name = {layer["name"]: layer for layer in found["layers"]}
    assert list(by_name) == ["conv1", "conv2", "conv3", "conv4", "fc1", "fc2"]
    assert by_name["conv1"]["injection"] is None
    assert by_name["fc2"]["injection"] is None
    injection = by_name["conv3"]["injection"]
    layer = dict(noisy_layers(model))["conv3"]
    assert injection["k_c"] == 2
    assert injection["k"] == 18
    assert injection["nonzeros"] == int((layer.P != 0).sum())
    assert injection["selection"]["name"] == name
    assert injection["measured_fraction"] == pytest.approx(selection.nominal(), abs=2e-3)
    assert by_name["conv2"]["in_size"] == [14, 14]
    assert by_name["conv2"]["out_size"] == [7, 7]
    assert by_name["conv2"]["stride"] == [2, 2]
    file = tmp_path / "layers.json"  # type: ignore[operator]
    write_json(file, found)
    assert hwmodel.load(file).layers[2].n == 16


def test_loads_of_tiles_are_those_of_the_masks(
    noisy: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    x = digits[0][:20]
    found = describe(noisy, x, name="small_cnn", batch_size=7)
    inputs: dict[str, Tensor] = {}
    handles = [
        layer.register_forward_pre_hook(lambda _, args, name=name: inputs.update({name: args[0]}))
        for name, layer in noisy_layers(noisy)
    ]
    with torch.no_grad():
        noisy(x)
        for name, layer in noisy_layers(noisy):
            mask = layer.mask(layer.approximate(inputs[name]))
            mask = mask.movedim(1, -1) if mask.dim() == 4 else mask
            injection = next(e for e in found["layers"] if e["name"] == name)["injection"]
            for size in TILES:
                tiles = torch.stack([part.sum(-1) for part in mask.split(size, -1)], -1)
                shares = [float((tiles == j).double().mean()) for j in range(size + 1)]
                assert injection["loads"][str(size)] == pytest.approx(shares)
            assert injection["loads"]["16"][0] <= 1 - injection["measured_fraction"]
    for handle in handles:
        handle.remove()


def test_a_projection_of_zeros_is_refused_by_name(
    noisy: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    name, layer = next(iter(noisy_layers(noisy)))
    layer.P.zero_()
    with pytest.raises(UserError, match=f"layer {name}: its projection P is zero everywhere"):
        describe(noisy, digits[0][:4])


def test_zero_inputs_are_those_that_the_layer_gets(
    trained: nn.Module, noisy: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    """Behind a ReLU, of a plain network and of an injected one."""
    x = digits[0][:20]
    for network in (trained, noisy):
        found = {e["name"]: e for e in describe(network, x, batch_size=7)["layers"]}
        assert found["conv1"]["zero_inputs"] == pytest.approx(float((x == 0).double().mean()))
        inputs: list[Tensor] = []
        handle = network.get_submodule("conv3").register_forward_pre_hook(
            lambda _, args, inputs=inputs: inputs.append(args[0])
        )
        with torch.no_grad():
            network(x)
        handle.remove()
        zeros = float((inputs[0] == 0).double().mean())
        assert zeros > 0.1
        assert found["conv3"]["zero_inputs"] == pytest.approx(zeros)


@dataclass(frozen=True)
class PlainSelection(Selection):
    fraction: float = 0.25

    def mask(self, score: Tensor) -> Tensor:
        return TopK(self.fraction).mask(score)

    def margin(self, score: Tensor, mask: Tensor) -> None:
        return None

    def nominal(self) -> float:
        return self.fraction


@dataclass(frozen=True)
class PlainProjection(Projection):
    def rows(self, d: int) -> int:
        return 5

    def sample(self, k: int, d: int, generator: torch.Generator) -> Tensor:
        return torch.eye(k, d)


@dataclass(frozen=True)
class PlainNoise(Noise):
    def value(self, z: Tensor, z_tilde: Tensor, deviation: Tensor) -> Tensor:
        return z


def test_parts_that_declare_nothing_are_taken_for_the_dearest() -> None:
    """A scattered ranking, a P of real numbers, noise on exact values."""
    x = torch.rand(3, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    inner = nn.Conv2d(4, 8, 3, padding=1)
    model = nn.Sequential(nn.Conv2d(4, 4, 1), inner, nn.Flatten(), nn.Linear(288, 10)).eval()
    spec = InjectionSpec(
        PlainSelection(), PlainProjection(), noise=PlainNoise(), normalise=False, min_inputs=1
    )
    described = describe(inject(model, spec, x[:1]), x, name="plain")
    network = hwmodel.Network.model_validate_json(json.dumps(described))
    terms = {t.term: t for t in hwmodel.count_operations(network) if t.layer == "1"}
    M, n, d, k = 36, 8, 36, 5
    assert terms["projection"].macs == M * k * d
    assert terms["selection"].comparisons == 3 * M * n
    assert terms["exact"].macs == M * n * d
    assert terms["noise"].additions == 0.75 * M * n
    total = hwmodel.latency(network, hwmodel.load_preset("server_cpu"))[-1]
    assert total.injected_s is not None
    assert total.dense_fp32_s is not None
    assert total.injected_s > total.dense_fp32_s
