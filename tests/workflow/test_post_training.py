"""Networks that share a closed form are those that nenni.fit gives; a study goes on where it was."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scripts import script_named
from torch import Tensor, nn

import nenni
from nenni.core.errors import UserError
from nenni.method.injection import noisy_layers
from nenni.method.spec import InjectionSpec
from nenni.networks.models.resnet_cifar import resnet_cifar

ROOT = Path(__file__).parents[2]
BATCH = 20
CHOSEN = [
    ("fraction", "0.25"), ("selection", "Threshold(fraction=0.5)"), ("selection", "NM(n=4, m=8)"),
    ("selection", "Random(fraction=0.5)"), ("selection", "Oracle(fraction=0.5)"),
    ("score", "signed, raw"), ("score", "magnitude, normalised"), ("noise", "GaussianNoise"),
    ("noise", "Resample"), ("exact_bits", "4"), ("weight_bits", "2"), ("projection", "tap_shared_pca"),
    ("fit", "0.5 x sparse 1/8: exact, kept"), ("fit", "0.25 x tap_shared 1/2: exact, measured"),
    ("fit", "0.25 x sparse 1/8: injected, kept"), ("fit", "0.25 x sparse 1/8: injected, measured"),
    ("fit", "0.5 x sparse 1/8: exact, measured, bias correction"),
    ("fit", "0.5 x sparse 1/8: exact, measured, blocks"),
]  # fmt: skip


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    post_training = script_named("post_training")
    monkeypatch.setattr(post_training, "BATCH", BATCH)
    return post_training


@pytest.fixture(scope="module")
def model() -> nn.Module:
    """A small ResNet whose batch norms have statistics of their inputs."""
    torch.manual_seed(0)
    network = resnet_cifar((3, 8, 8), 10, depth=8)
    for _ in range(20):
        network(torch.rand(50, 3, 8, 8))
    return network.eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Three batches, the last one smaller."""
    return torch.rand(50, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.long
def test_a_shared_closed_form_gives_the_networks_that_fits_of_their_own_give(
    script: Any, model: nn.Module, images: Tensor
) -> None:
    settings = {setting.place: setting for setting in script.settings()}
    closed: dict[str, Any] = {}
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for place in CHOSEN:
        setting = settings[place]
        shared, seconds = script.fitted(model, setting, images, closed)
        own = nenni.inject(model, InjectionSpec(**vars(setting.choices)), images[:1])
        told = (script.FITS | script.MORE_FITS)[setting.fit]
        nenni.fit(own, images, **told, batch_size=BATCH)
        assert seconds > 0
        assert {layer.choices for _, layer in noisy_layers(shared)} == {setting.choices}
        torch.manual_seed(0)
        expected = own(images)
        torch.manual_seed(0)
        assert torch.equal(shared(images), expected), place
    assert len(closed) < len(CHOSEN) - 4  # of which the last four share nothing
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_measured_batch_norms_are_those_of_each_setting(
    script: Any, model: nn.Module, images: Tensor
) -> None:
    settings = {setting.place: setting for setting in script.settings()}
    closed: dict[str, Any] = {}
    found = []
    for fraction in ("0.25", "0.75"):
        noisy, _ = script.fitted(model, settings["fraction", fraction], images, closed)
        found.append(noisy.get_submodule("layer3.0.bn1").running_var)
    assert len(closed) == 1
    assert not torch.allclose(*found, rtol=1e-3)


def test_rows_have_names_of_their_own_and_the_default_is_the_librarys(script: Any) -> None:
    settings = [*script.settings()]
    assert len({setting.place for setting in settings}) == len(settings)
    default = inspect.signature(nenni.fit).parameters
    told = script.FITS[script.DEFAULT_FIT]
    assert told == {name: default[name].default for name in told}
    fits = [s for s in settings if s.factor == "fit"]
    assert {s.fit for s in fits} == {*script.FITS, *script.MORE_FITS}
    assert all(s.fit == script.DEFAULT_FIT for s in settings if s.factor != "fit")


@pytest.fixture
def files(tmp_path: Path, script: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Few images, weights that nobody trained, and four settings of two networks."""
    torch.manual_seed(0)
    state = resnet_cifar((3, 32, 32), 10).state_dict()
    torch.save({"state_dict": state}, tmp_path / "resnet20-0.th")
    (tmp_path / "cifar10").mkdir()
    draws = np.random.default_rng(0)
    for split in ("train", "test"):
        x = draws.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
        np.savez(tmp_path / "cifar10" / f"{split}.npz", x=x, y=np.arange(8))
    chosen = [s for s in script.settings() if s.factor == "fraction"][3:6]
    chosen += [s for s in script.settings() if s.place == ("ratio", "0.125")]
    monkeypatch.setattr(script, "settings", lambda: iter(chosen))
    return tmp_path


@pytest.mark.long
def test_a_study_that_was_stopped_goes_on_to_the_same_table(script: Any, files: Path) -> None:
    script.study(files, files, "resnet20", files / "out")
    file = files / "out" / "resnet20.csv"
    whole = pd.read_csv(file)
    assert [*whole["factor"]] == ["undefended", "fraction", "fraction", "fraction", "ratio"]
    assert whole["n"].eq(8).all()
    assert whole["seconds"].isna().tolist() == [True, False, False, False, False]
    same = whole[whole["value"].isin([0.5, 0.125])].drop(columns=["factor", "value"])
    assert len(same.drop_duplicates()) == 1  # the default, fitted and judged once
    for rows in (1, 3):
        whole.head(rows).to_csv(file, index=False)
        script.study(files, files, "resnet20", files / "out")
        again = pd.read_csv(file)
        pd.testing.assert_frame_equal(
            again.drop(columns="seconds"), whole.drop(columns="seconds"), rtol=1e-6
        )


def test_a_study_that_is_done_fits_nothing(
    script: Any, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.study(files, files, "resnet20", files / "out")
    before = (files / "out" / "resnet20.csv").read_text()
    monkeypatch.setattr(script, "fitted", lambda *_: pytest.fail("was fitted again"))
    script.study(files, files, "resnet20", files / "out")
    assert (files / "out" / "resnet20.csv").read_text() == before


def test_a_table_of_an_earlier_version_is_refused(script: Any, files: Path) -> None:
    (files / "resnet20.csv").write_text("network,factor,value\nresnet20,undefended,\n")
    with pytest.raises(UserError, match=r"resnet20\.csv: has other columns .* give another --out"):
        script.study(files, files, "resnet20", files)
