"""What the report and the histogram measure."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers
from nenni.method.projection.gaussian import Gaussian
from nenni.method.report import error_histogram, report
from nenni.method.selection.inverted import Inverted
from nenni.method.selection.random import Random
from nenni.method.selection.threshold import Threshold
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.networks.hooks import hooked

MakeSpec = Callable[..., InjectionSpec]


def test_report_measures_error_fraction_and_recall(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    def table(selection: object) -> object:
        noisy = inject(trained, make_spec(selection=selection), digits[0][:1])
        fit(noisy, digits[0][:400], inputs="exact")
        return report(noisy, digits[0][400:500], inputs="exact")

    topk, inverted, random = table(TopK(0.5)), table(Inverted(0.5)), table(Random(0.5))
    assert (topk["fraction"] == 0.5).all()
    assert (topk["recall"] > 0.8).all()
    assert (inverted["recall"] < 0.2).all()
    assert (random["recall"] - 0.5).abs().max() < 0.03
    assert (topk["relative_error"] == inverted["relative_error"]).all()
    assert (topk["drift"] == 0).all()


def test_the_report_of_a_network_as_it_runs(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    """Each layer is compared with what it gives itself; the layers before it make z drift."""
    noisy = inject(trained, make_spec(), digits[0][:1])
    fit(noisy, digits[0][:400], inputs="injected")
    x = digits[0][400:450]
    found = report(noisy, x, batch_size=20).set_index("layer")
    inputs: dict[str, Tensor] = {}
    handles = [
        layer.register_forward_pre_hook(lambda m, x, name=name: inputs.update({name: x[0]}))
        for name, layer in noisy_layers(noisy)
    ]
    with hooked(handles):
        noisy(x)
    exact = dict(trained.named_modules())
    hidden: dict[str, Tensor] = {}
    handles = [
        exact[name].register_forward_hook(lambda m, x, z, name=name: hidden.update({name: z}))
        for name in inputs
    ]
    with hooked(handles):
        trained(x)
    for name, layer in noisy_layers(noisy):
        z = layer.exact(inputs[name])
        error = (layer.approximate(inputs[name]) - z).norm() / z.norm()
        assert found["relative_error"][name] == pytest.approx(float(error), rel=1e-2)
        drift = (z - hidden[name]).norm() / hidden[name].norm()
        assert found["drift"][name] == pytest.approx(float(drift), rel=1e-2, abs=1e-6)
    assert found["drift"].iloc[0] == 0
    assert (found["drift"].iloc[1:] > 0.01).all()


def test_error_histogram_is_a_distribution(noisy: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    fit(noisy, digits[0][:300], epochs=0)
    table = error_histogram(noisy, digits[0][300:400])
    sums = table.groupby("layer")[["all", "injected"]].sum()
    assert (sums - 1).abs().max().max() < 1e-5
    spread = (table["bin"] ** 2 * table["all"]).groupby(table["layer"]).sum() ** 0.5
    errors = report(noisy, digits[0][300:400]).set_index("layer")["relative_error"]
    assert (spread / errors - 1).abs().max() < 0.05


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_recall_is_of_as_many_neurons_as_each_image_selects(
    make_spec: MakeSpec, batch_size: int
) -> None:
    """An approximation that is exact finds all of them, whatever is in the batch."""
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)
    ).eval()
    x = torch.randn(100, 3, 2, 2) * torch.linspace(0.1, 4, 100)[:, None, None, None]
    wide = {"weight_bits": 32, "input_bits": 32, "projected_bits": 32}
    spec = make_spec(selection=Threshold(0.3), projection=Gaussian(1.0), **wide)
    noisy = inject(model, spec, x[:1])
    fit(noisy, x, ridge=0)
    assert (report(noisy, x, batch_size=batch_size)["recall"] > 0.999).all()


class Windows(nn.Module):
    """Looks at four windows of an image, all by one layer, in one call or in two."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.calls, self.layer, self.last = calls, nn.Linear(64, 64), nn.Linear(256, 4)

    def forward(self, x: Tensor) -> Tensor:
        parts = [
            self.layer(part.flatten(0, 1))
            for part in x.flatten(1).view(-1, 4, 64).chunk(self.calls, 1)
        ]
        return self.last(torch.cat([part.view(len(x), -1) for part in parts], 1).relu())


@pytest.mark.parametrize("calls", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_units_are_right_where_a_layer_has_several_rows_for_an_image(
    make_spec: MakeSpec, calls: int, dtype: torch.dtype
) -> None:
    x = torch.randn(200, 1, 16, 16, dtype=dtype)
    noisy = inject(Windows(calls).to(dtype).eval(), make_spec(layers=("layer",)), x[:1])
    fit(noisy, x)
    table, found = error_histogram(noisy, x), report(noisy, x)
    assert found["neurons"].tolist() == [256]
    spread = float((table["bin"] ** 2 * table["all"]).sum() ** 0.5)
    assert spread == pytest.approx(found["relative_error"].item(), rel=0.05)
