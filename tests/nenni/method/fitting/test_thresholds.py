"""Thresholds that the fit calibrates."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nenni.method.fit import fit, set_thresholds
from nenni.method.fitting import thresholds
from nenni.method.fitting.thresholds import upper_quantile
from nenni.method.injection import inject, noisy_layers, set_fractions
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.report import report
from nenni.method.selection.threshold import Threshold
from nenni.method.spec import InjectionSpec
from nenni.method.visit import VISITS

MakeSpec = Callable[..., InjectionSpec]


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.83, 1.0])
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("inputs", ["injected", "exact"])
def test_thresholds_hold_the_fraction_on_the_images_of_the_fit(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor], fraction: float,
    normalise: bool, inputs: str,
) -> None:  # fmt: skip
    """Where scores tie with the threshold, the fraction lies between those beyond and those at it."""
    spec = make_spec(selection=Threshold(fraction), normalise=normalise, score="magnitude")
    noisy = inject(trained, spec, digits[0][:1])
    batches = digits[0][:300].split(130)
    fit(noisy, batches, inputs=inputs)
    scores: dict[str, list[Tensor]] = {name: [] for name, _ in noisy_layers(noisy)}

    def visit(name: str, layer: NoisyLayer, x: Tensor, _: Tensor) -> None:
        scores[name].append(layer.score(layer.approximate(x)).flatten())

    VISITS[inputs](noisy, batches, visit)
    found = report(noisy, batches, inputs=inputs).set_index("layer")["fraction"]
    for name, parts in scores.items():
        beyond, at_least = ((torch.cat(parts) > 0), (torch.cat(parts) >= 0))
        assert beyond.double().mean() <= fraction + 0.005
        assert at_least.double().mean() >= fraction - 0.005
        assert found[name] == pytest.approx(float(beyond.double().mean()), abs=1e-9)
        assert found[name] == pytest.approx(fraction, abs=0 if fraction in (0, 1) else 0.03)
    assert (
        report(noisy, digits[0][300:600], inputs=inputs)["fraction"] - fraction
    ).abs().max() < 0.06


def test_thresholds_follow_a_change_of_fraction(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    noisy = inject(trained, make_spec(selection=Threshold(0.5)), digits[0][:1])
    fit(noisy, digits[0][:300], inputs="injected")
    set_fractions(noisy, {"conv3": 0.2})
    set_thresholds(noisy, [digits[0][:300]], inputs="injected")
    found = report(noisy, digits[0][:300]).set_index("layer")["fraction"]
    assert found["conv3"] == pytest.approx(0.2, abs=0.01)
    assert found["conv2"] == pytest.approx(0.5, abs=0.01)


def test_thresholds_are_read_from_all_parts_of_an_image(
    make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample at regular steps may fall on one column alone, e.g. on the border."""
    monkeypatch.setattr(thresholds, "_SAMPLED_SCORES", 8 * 16)  # of 8 x 16 x 16: every 16th
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 2, 1))
    x = torch.randn(60, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * torch.linspace(
        0.1, 3, 16
    )
    spec = make_spec(selection=Threshold(0.3), score="magnitude", min_inputs=1)
    noisy = inject(model, spec, x[:1])
    fit(noisy, x)
    assert report(noisy, x)["fraction"].item() == pytest.approx(0.3, abs=0.03)


def test_every_image_counts_the_same_for_a_threshold(
    make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small last batch weighs no more than its images."""
    monkeypatch.setattr(thresholds, "_SAMPLED_SCORES", 64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 2, 1))
    x = torch.randn(110, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    x[100:] *= 10
    spec = make_spec(selection=Threshold(0.3), score="magnitude", min_inputs=1)
    noisy = inject(model, spec, x[:1])
    fit(noisy, x, batch_size=100)
    assert report(noisy, x)["fraction"].item() == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("fraction", [0.0, 0.2, 0.5, 1.0])
def test_a_fraction_lies_above_its_quantile(fraction: float) -> None:
    sample = torch.randperm(10, generator=torch.Generator().manual_seed(0)).float()
    assert (sample > upper_quantile(sample, fraction)).double().mean() == fraction
