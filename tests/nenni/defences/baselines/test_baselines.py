"""What holds for every baseline: it learns, files keep it, attacks meet it, its noise goes off."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from baseline_cases import SMALL, Digits, answers, attacked, defended, fresh, learned
from torch import nn

import nenni
from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.evaluation.subject import examine
from nenni.method.baseline import Baseline, baseline_layers
from nenni.method.defend import set_noise
from nenni.method.injection import is_randomised
from nenni.networks.architecture import Architecture

BASELINES: dict[str, Baseline] = {
    "pni": nenni.PNI(),
    "pni channels": nenni.PNI("channel"),
    "pni inputs": nenni.PNI("layer", where="inputs"),
    "pni activations": nenni.PNI("element", where="activations"),
    "learn2perturb": nenni.Learn2Perturb(0.05),
    "random projection filters": nenni.RandomProjectionFilters(),
    "gaussian": nenni.GaussianActivations(),
    "k-wta": nenni.KWTA(0.2),
    "int8": nenni.Quantised(8),
    "int4": nenni.Quantised(4),
    "2:4": nenni.TwoOfFour(),
    "dropout": nenni.RandomDropout(0.15),
}
NOISY = {name: b for name, b in BASELINES.items() if b.randomised}
ALL, WITH_NOISE = pytest.mark.parametrize("name", BASELINES), pytest.mark.parametrize("name", NOISY)
REPLACES_WEIGHTS = {"random projection filters"}
"""Those that change a network also without their noise."""
ACCURACY = 0.75
"""After nine epochs on 400 digits, of 200 others."""


def test_every_plugin_is_looked_at() -> None:
    found = {plugins.name_of("baseline", type(baseline)) for baseline in BASELINES.values()}
    assert found == set(plugins.names("baseline"))


@pytest.mark.long
@ALL
def test_it_learns_real_digits_from_the_first_epoch(name: str, digits: Digits) -> None:
    network = defended(fresh(), BASELINES[name], digits)
    history = learned(network, digits, 9).history
    assert history["val_clean"].iloc[-1] > ACCURACY
    assert history["loss"].iloc[-1] < 0.6 * history["loss"].iloc[0]


@ALL
def test_a_file_keeps_it(name: str, digits: Digits, tmp_path: Path) -> None:
    """Trained for an epoch, so that its tensors are no longer the first."""
    network = defended(fresh(), BASELINES[name], digits)
    learned(network, digits, 1)
    nenni.save(network, tmp_path / "n.safetensors")
    again = nenni.load(tmp_path / "n.safetensors")
    x = digits[0][600:620]
    assert torch.equal(answers(network, x), answers(again, x))
    assert {type(b.baseline) for _, b in baseline_layers(again)} == {type(BASELINES[name])}
    assert all(layer.baseline == BASELINES[name] for _, layer in baseline_layers(again))
    nenni.save(again, tmp_path / "again.safetensors")
    first, second = (tmp_path / f"{file}.safetensors" for file in ("n", "again"))
    assert first.read_bytes() == second.read_bytes()


@ALL
def test_what_draws_is_found_to_draw(name: str, trained: nn.Module, digits: Digits) -> None:
    x, baseline = digits[0][600:632], BASELINES[name]
    network = defended(trained, baseline, digits)
    subject = examine(network, x, eps=0.1, norm="linf")
    assert subject.randomised == is_randomised(network) == baseline.randomised
    assert subject.attacked is subject.model is network
    assert torch.equal(answers(network, x), answers(network, x))
    assert torch.equal(answers(network, x, 0), answers(network, x, 1)) != baseline.randomised


@ALL
def test_an_average_over_draws_of_what_draws_nothing_is_the_plain_attack(
    name: str, trained: nn.Module, digits: Digits
) -> None:
    network = defended(trained, BASELINES[name], digits)
    if name in NOISY:
        set_noise(network, on=False)
    assert torch.allclose(attacked(network, digits, 3), attacked(network, digits, 1), atol=1e-5)


@WITH_NOISE
def test_without_its_noise_an_attack_is_the_plain_one(
    name: str, trained: nn.Module, digits: Digits
) -> None:
    network = defended(trained, NOISY[name], digits)
    noisy = attacked(network, digits, 1)
    set_noise(network, on=False)
    assert not is_randomised(network)
    found = attacked(network, digits, 1)
    assert not torch.equal(found, noisy)
    if name not in REPLACES_WEIGHTS:
        assert torch.equal(found, attacked(trained, digits, 1))
        assert torch.equal(answers(network, digits[0][:9]), answers(trained, digits[0][:9]))
    set_noise(network, on=True)
    assert torch.equal(attacked(network, digits, 1), noisy)


@WITH_NOISE
def test_a_file_keeps_its_noise_off(name: str, digits: Digits, tmp_path: Path) -> None:
    network = defended(fresh(), NOISY[name], digits)
    set_noise(network, on=False)
    nenni.save(network, tmp_path / "n.safetensors")
    again = nenni.load(tmp_path / "n.safetensors")
    assert not is_randomised(again)
    x = digits[0][600:620]
    assert torch.equal(answers(network, x, 0), answers(again, x, 1))


@pytest.mark.long
@ALL
def test_a_persistent_attacker_meets_what_draws(
    name: str, trained: nn.Module, digits: Digits
) -> None:
    baseline = BASELINES[name]
    data = digits[0][600:612], digits[1][600:612]
    suite: dict[str, Any] = {"pgd": {"name": "pgd", "steps": 3}}
    found = nenni.evaluate(defended(trained, baseline, digits), data, suite, eps=0.15, draws=3)
    tries = found.persistence
    assert (len(tries) > 1) == baseline.randomised
    if baseline.randomised:
        assert set(found.examples["draws"]) == {100}
        assert tries["accuracy"].iloc[-1] <= tries["accuracy"].iloc[0]


@ALL
def test_the_network_that_was_given_stays_as_it_is(
    name: str, trained: nn.Module, digits: Digits
) -> None:
    before, names = answers(trained, digits[0][:5]), [*trained.state_dict()]
    network = defended(trained, BASELINES[name], digits)
    assert torch.equal(answers(trained, digits[0][:5]), before)
    assert [*trained.state_dict()] == names
    assert not any(baseline_layers(trained))
    for refused in (
        lambda: defended(network, BASELINES[name], digits),
        lambda: nenni.inject(
            network, nenni.InjectionSpec(nenni.TopK(0.5), nenni.Sparse(0.25)), digits[0][:1]
        ),
    ):
        with pytest.raises(UserError, match="is defended already"):
            refused()


CHOSEN = {
    "relu": (["relu[23]"], ["relu2", "relu3"]),
    "filters": (["conv2"], ["conv2"]),
    "layers": (["type:Conv2d", "!conv1"], ["conv2", "conv3", "conv4"]),
}
OF = {"learn2perturb": "relu", "k-wta": "relu", "random projection filters": "filters"}


@ALL
def test_patterns_choose_its_layers(
    name: str, trained: nn.Module, digits: Digits, tmp_path: Path
) -> None:
    patterns, wanted = CHOSEN[OF.get(name, "layers")]
    network = defended(trained, replace(BASELINES[name], layers=patterns), digits)
    assert [found for found, _ in baseline_layers(network)] == wanted
    everything = defended(trained, BASELINES[name], digits)
    x = digits[0][:9]
    assert not torch.equal(answers(network, x), answers(everything, x))
    architecture = Architecture(SMALL, (1, 28, 28), 10)
    nenni.save(network, tmp_path / "n.safetensors")
    again = nenni.load(tmp_path / "n.safetensors", architecture=architecture)
    assert [found for found, _ in baseline_layers(again)] == wanted
    assert torch.equal(answers(again, x), answers(network, x))


def test_an_exclusion_starts_from_what_it_changes_by_itself(
    trained: nn.Module, digits: Digits
) -> None:
    for baseline, wanted in (
        (nenni.PNI(layers=("!conv*",)), ["fc1", "fc2"]),
        (nenni.GaussianActivations(layers=("!conv*",)), ["fc1"]),
        (nenni.GaussianActivations(layers=("!conv*", "fc2")), ["fc1", "fc2"]),
        (nenni.PNI(where="activations", layers=("!conv*",)), ["fc1"]),
    ):
        network = defended(trained, baseline, digits)
        assert [found for found, _ in baseline_layers(network)] == wanted


@ALL
@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["conv9"], "layers: 'conv9' matches none of: "),
        (["!*"], r"layers: !\* leave none of: "),
        (["bn1"], "layers: 'bn1' matches none of: "),
    ],
)
def test_patterns_that_choose_nothing(
    name: str, patterns: list[str], message: str, trained: nn.Module, digits: Digits
) -> None:
    with pytest.raises(UserError, match=message):
        defended(trained, replace(BASELINES[name], layers=patterns), digits)


@ALL
def test_removed_it_leaves_the_network_that_it_was_put_into(
    name: str, trained: nn.Module, digits: Digits
) -> None:
    plain = nenni.remove(network := defended(trained, BASELINES[name], digits))
    assert not any(baseline_layers(plain))
    assert any(baseline_layers(network)), "that of a copy"
    assert [type(m) for m in plain.modules()] == [type(m) for m in trained.modules()]
    assert plain.state_dict().keys() == trained.state_dict().keys()
    x = digits[0][:20]
    assert torch.equal(answers(plain, x), answers(trained, x))


@ALL
def test_removed_it_leaves_what_training_made_of_the_weights(name: str, digits: Digits) -> None:
    network = defended(first := fresh(), BASELINES[name], digits)
    learned(network, digits, 1)
    plain = nenni.remove(network)
    layers = {n: m for n, m in first.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    assert all(
        not torch.equal(plain.get_submodule(n).weight, m.weight)  # type: ignore[arg-type]
        for n, m in layers.items()
    )
    assert torch.isfinite(answers(plain, digits[0][:9])).all()
    again = defended(plain, BASELINES[name], digits)
    assert any(baseline_layers(again))


def test_an_injected_network_gets_no_baseline(
    trained: nn.Module, make_spec: Callable[..., nenni.InjectionSpec], digits: Digits
) -> None:
    noisy = nenni.inject(trained, make_spec(), digits[0][:1])
    with pytest.raises(UserError, match="is defended already: defend the plain one"):
        defended(noisy, nenni.PNI(), digits)
