"""fvcore's counter agrees with the cost model on injected networks, term by term."""

import json
from collections import Counter

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from layer_cases import PROJECTIONS
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import hwmodel
from nenni.cost.describe import describe
from nenni.cost.flop_count import flop_count
from nenni.method.fit import set_thresholds
from nenni.method.injection import inject, noisy_layers
from nenni.method.noise.gaussian import GaussianNoise
from nenni.method.noise.zero import Zero
from nenni.method.noise_base import Noise
from nenni.method.projection.tap_shared import TapShared
from nenni.method.projection_base import Projection
from nenni.method.selection.all import All
from nenni.method.selection.n_m import NM
from nenni.method.selection.oracle import Oracle
from nenni.method.selection.random import Random
from nenni.method.selection.threshold import Threshold
from nenni.method.selection.topk import TopK
from nenni.method.selection_base import Selection
from nenni.method.spec import InjectionSpec
from nenni.networks.models.resnet18 import resnet18


def check(model: nn.Module, image: Tensor) -> int:
    """Each term of each layer; returns fvcore's sum."""
    before = model(image)
    counted = flop_count(model, image).by_module_and_operator()
    described = describe(model, image, name="test")
    network = hwmodel.Network.model_validate_json(json.dumps(described))
    noisy = dict(noisy_layers(model))
    for term in hwmodel.count_operations(network):
        if term.term in ("rounding", "selection", "mask", "noise"):
            continue
        found = counted[term.layer]
        key = term.term if term.layer in noisy else next(iter(found))
        assert found[key] == pytest.approx(term.macs + term.additions, rel=1e-12), term
    assert torch.equal(model(image), before)
    return int(sum(counted[""].values()))


@pytest.mark.parametrize("kind", PROJECTIONS, ids=lambda kind: kind.__name__)
def test_every_projection(
    kind: type[Projection], trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    spec = InjectionSpec(TopK(0.5), kind(0.25), normalise=False)  # type: ignore[call-arg]
    check(inject(trained, spec, digits[0][:1]), digits[0][:1])


@pytest.mark.parametrize(
    ("selection", "noise"),
    [(NM(2, 4), None), (All(), None), (Oracle(0.5), None), (Random(0.5), Zero()),
     (Random(0.5), GaussianNoise()), (TopK(0.25), GaussianNoise())],
)  # fmt: skip
def test_paths_that_are_not_computed_are_not_counted(
    selection: Selection, noise: Noise | None, trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    chosen = {} if noise is None else {"noise": noise}
    spec = InjectionSpec(selection, TapShared(0.25), normalise=False, **chosen)  # type: ignore[arg-type]
    model = inject(trained, spec, digits[0][:1])
    if selection != Random(0.5):  # its mask differs from pass to pass, by one neuron at most
        check(model, digits[0][:1])
    counted = flop_count(model, digits[0][:1]).by_module_and_operator()["conv2"]
    judged = isinstance(selection, NM | TopK)
    assert ("approximation" in counted) == (judged or isinstance(selection, Oracle))
    dense = FlopCountAnalysis(trained, digits[0][:1]).by_module()["conv2"]
    everything = isinstance(selection, All | Oracle) or isinstance(noise, GaussianNoise)
    assert counted["exact"] == dense if everything else counted["exact"] < dense


@pytest.mark.parametrize("kind", PROJECTIONS, ids=lambda kind: kind.__name__)
def test_a_batch_counts_all_of_its_images(
    kind: type[Projection], trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    """Convolutions and a linear layer, over patches and over channels, each image's own mask."""
    images = digits[0][:4]
    spec = InjectionSpec(Threshold(0.5), kind(0.25), normalise=False)  # type: ignore[call-arg]
    model = inject(trained, spec, images[:1])
    set_thresholds(model, images)
    together = flop_count(model, images)
    alone = [flop_count(model, image[None]) for image in images]
    assert together.by_operator() == sum((one.by_operator() for one in alone), Counter())
    assert together.total() == sum(one.total() for one in alone)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("kernel", [2, 4])
def test_paddings_that_differ_between_the_sides(kernel: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        inner = nn.Conv2d(4, 4, kernel, padding="same")
        model = nn.Sequential(nn.Conv2d(1, 4, 1), inner, nn.Flatten(), nn.Linear(4 * 64, 2)).eval()
    images = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    check(inject(model, InjectionSpec(TopK(0.5), TapShared(0.5), min_inputs=1), images), images)


def test_the_model_stays_as_it_is(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    """Torch's random state too; and another handle counts the same terms again."""
    spec = InjectionSpec(Random(0.5), TapShared(0.25))
    model = inject(trained, spec, digits[0][:1])
    before = torch.get_rng_state()
    parts = {name: vars(module).copy() for name, module in model.named_modules()}
    counted = flop_count(model, digits[0][:1])
    terms = counted.by_module_and_operator()["conv2"]
    assert {name: vars(module) for name, module in model.named_modules()} == parts
    assert torch.equal(torch.get_rng_state(), before)
    counted.set_op_handle("aten::relu", lambda inputs, outputs: 1)
    assert counted.by_module_and_operator()["conv2"] == terms


def test_a_layer_under_two_names_runs_as_often(digits: tuple[Tensor, Tensor]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        twice = nn.Conv2d(4, 4, 3, padding=1)
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), twice, nn.ReLU(), twice, nn.Flatten(), nn.Linear(3136, 2)
        ).eval()
    image = digits[0][:1]
    noisy = inject(model, InjectionSpec(TopK(0.5), TapShared(0.5), min_inputs=1), image)
    counted = flop_count(noisy, image).by_operator()
    one = 784 * 4 * 36
    assert counted["exact"] == 2 * one / 2
    assert counted["approximation"] == 2 * one / 2


def test_a_naive_count_sees_both_paths_and_more() -> None:
    """ResNet-18 at 32 x 32, half exact, P at k = d/8 shared by the taps."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain = resnet18((3, 32, 32), 10).eval()
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model = inject(plain, InjectionSpec(TopK(0.5), TapShared(0.125), normalise=False), x)
    with FlopCounterMode(display=False) as naive, torch.no_grad():
        model(x)
    dense = 555_422_720
    assert naive.get_total_flops() / 2 > 1.1 * dense
    assert check(model, x) < 0.66 * dense
