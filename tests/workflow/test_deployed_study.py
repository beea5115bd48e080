"""Deployed networks are judged themselves, and dense ones as those that skip."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pandas as pd
import pytest
import torch
import yaml
from scripts import script_named
from torch import Tensor, nn

import nenni
from nenni.core.errors import UserError
from nenni.data.split import InMemory
from nenni.method.injection import noisy_layers
from nenni.networks.models.resnet_cifar import resnet_cifar
from nenni.run.experiment import Experiment

ROOT = Path(__file__).parents[2]
SUITE = {"pgd": {"name": "pgd", "steps": 2}, "bpda": {"name": "pgd", "steps": 2, "surrogate": {"name": "bpda"}}}  # fmt: skip


@pytest.fixture(scope="module")
def script() -> Any:
    found = script_named("deployed_study")
    found.SQUARE = {"square": {"name": "square", "queries": 3}}
    return found


@pytest.fixture(scope="module")
def plain() -> nn.Module:
    torch.manual_seed(0)
    return resnet_cifar((3, 8, 8), 10, depth=8).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(24, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def subjects(script: Any, plain: nn.Module, images: Tensor) -> list[Any]:
    spec = nenni.InjectionSpec(
        nenni.Block(0.5, 16, 8), nenni.TapShared(0.25), exact_bits=8, input_bits=8, projected_bits=8
    )  # fmt: skip
    noisy = nenni.inject(plain, spec, images)
    nenni.fit(noisy, images)
    dense = nenni.defend(plain, nenni.Quantised(8), images)
    with torch.no_grad():
        labels = plain(images).argmax(1)
    return [
        script.Subject(
            Experiment("wide", name, 0), network, "sha256:1e5", 8 / 255, images, images, labels
        )
        for name, network in (("int8", dense), ("tiles_50", noisy))
    ]


def test_a_dense_network_is_deployed_with_all_its_convolutions_in_bytes(
    subjects: list[Any], plain: nn.Module, images: Tensor
) -> None:
    network = subjects[0].deployed()
    layers = [step.layer for step in network.steps if step.layer is not None]
    assert len(layers) == sum(isinstance(m, nn.Conv2d) for m in plain.modules())
    assert not network.times
    with torch.no_grad():
        assert torch.allclose(network(images), network.simulation(images), atol=1e-3)
        assert (network(images).argmax(1) == plain(images).argmax(1)).float().mean() > 0.8


def test_each_network_has_its_rows_and_a_stop_costs_one_network(
    script: Any, subjects: list[Any], tmp_path: Path
) -> None:
    file = tmp_path / "accuracy.csv"
    judged, script.judged = script.judged, Mock(side_effect=script.judged)
    of = {s.experiment: s for s in subjects}
    attacked = script.Attacked(8, 6, SUITE)
    script.accuracies([*of][:1], of.get, attacked, file)
    script.accuracies([*of, Experiment("wide", "not_there", 0)], of.get, attacked, file)
    assert script.judged.call_count == 2
    script.judged = judged
    found = pd.read_csv(file)
    of = {key: [*zip(rows["network"], rows["attack"], strict=True)] for key, rows in found.groupby("defence")}  # fmt: skip
    assert of["int8"] == [
        ("deployed", "clean"), ("deployed", "square"), ("deployed", "transfer"),
        ("deployed", "all attacks"), ("simulation", "pgd_20"), ("simulation", "all attacks"),
    ]  # fmt: skip
    assert of["tiles_50"] == of["int8"]
    images = {"clean": 24, "pgd_20": 8}
    assert [*found["n"]] == [images.get(attack, 6) for attack in found["attack"]]
    assert (found["same"] == 1).all()
    assert (found["apart"] < 1e-3).all()
    again = replace(subjects[0], weights="sha256:002")
    script.accuracies([again.experiment], lambda _: again, attacked, file)
    found = pd.read_csv(file)
    assert found.groupby("defence").size().to_dict() == {"int8": 6, "tiles_50": 6}
    assert set(found.loc[found["defence"] == "int8", "weights"]) == {"sha256:002"}


@pytest.fixture
def run_in(script: Any, images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a run of small networks whose data is there and nothing else."""
    config = yaml.safe_load((ROOT / "config" / "deployment.yaml").read_text())
    config["models"] = {name: {"name": "resnet_cifar", "depth": 8} for name in config["models"]}
    config["injection"]["layers"] = []
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    data = InMemory.of(images.repeat(3, 1, 1, 1), torch.arange(72) % 10)
    read = {"train": data, "test": data}, {"input_shape": [3, 8, 8], "n_classes": 10}
    monkeypatch.setattr(script, "_data", Mock(return_value=read))
    decoded = tmp_path / "results" / "deployment" / "data" / "cifar10.safetensors"
    decoded.parent.mkdir(parents=True)
    decoded.touch()
    monkeypatch.setattr(script, "CLAIMS", ROOT / "config" / "claims.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_networks_that_are_not_trained_yet_are_timed_and_not_judged(
    script: Any, run_in: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Path("config.yaml")
    experiments = script.deployable(config)
    assert not any(script.subject(config, 5, e) for e in experiments)
    assert "width_64/tiles_10 is left out: there is no results/" in capsys.readouterr().out
    found = [s for e in experiments if (s := script.subject(config, 5, e, trained=False))]
    arms = [(s.experiment.base, s.experiment.defence) for s in found]
    assert arms.count(("width_64", "int8")) == 1
    assert ("width_64", "tiles_25_alloc") not in arms  # its fractions come with training
    assert {s.weights for s in found} == {"untrained"}
    for subject in found:
        fractions = {layer.choices.selection.fraction for _, layer in noisy_layers(subject.network)}
        asked = subject.experiment.defence.removeprefix("tiles_")
        assert fractions == (set() if asked == "int8" else {int(asked[:2]) / 100})
    with torch.no_grad():
        assert found[1].deployed()(found[1].images).shape == (5, 10)


def test_without_its_data_a_run_says_how_it_is_made(script: Any, run_in: Path) -> None:
    (run_in / "results" / "deployment" / "data" / "cifar10.safetensors").unlink()
    with pytest.raises(
        UserError, match=r"cifar10\.safetensors: is missing; .* --until decode_data"
    ):
        script.subject(Path("config.yaml"), 5, Experiment("width_32", "int8", 0), trained=False)


def test_a_network_that_is_trained_is_read(script: Any, run_in: Path) -> None:
    experiment = Experiment("width_32", "tiles_50", 0)
    made = script.subject(Path("config.yaml"), 5, experiment, trained=False)
    plan = script.Plan(script.load_config(Path("config.yaml")))
    file = Path(script.Files(plan).final_weights(experiment))
    file.parent.mkdir(parents=True)
    nenni.save(made.network, file)
    found = script.subject(Path("config.yaml"), 5, experiment)
    assert found.weights.startswith("sha256:")
    assert torch.equal(found.network(found.images), made.network(made.images))


def test_times_are_of_both_kernels_where_a_network_is_dense(
    script: Any, subjects: list[Any], tmp_path: Path
) -> None:
    before = torch.get_num_threads()
    try:
        script.times(subjects, [2], [1], tmp_path / "times.csv")
    finally:
        torch.set_num_threads(before)
    dense, tiles = pd.read_csv(tmp_path / "times.csv").to_dict("records")
    assert dense["ours"] > 0
    assert dense["torch"] > 0
    assert tiles["ours"] > 0
    assert pd.isna(tiles["torch"])
    assert [dense["batch"], dense["threads"], dense["base"]] == [2, 1, "wide"]
