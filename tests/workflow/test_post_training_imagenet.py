"""Each photo is judged by a network that other photos fitted."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from scripts import script_named
from torch import Tensor, nn

import nenni
from nenni.core.errors import UserError
from nenni.networks.models.resnet_cifar import resnet_cifar

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("post_training_imagenet")


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return resnet_cifar((3, 8, 8), 10, depth=8).eval()


@pytest.fixture
def photos() -> tuple[Tensor, Tensor]:
    """As many as the batch of a half does not divide."""
    draws = torch.Generator().manual_seed(0)
    return torch.rand(46, 3, 8, 8, generator=draws), torch.arange(46) % 10


def test_no_photo_is_judged_by_what_it_fitted(
    script: Any, model: nn.Module, photos: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[Tensor] = []
    judged: list[Tensor] = []
    fit, correct = nenni.fit, script.correct

    def fit_seen(noisy: nn.Module, images: Tensor, **told: Any) -> None:
        fitted.append(images)
        fit(noisy, images, **told)

    def correct_seen(noisy: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        judged.append(images)
        found: Tensor = correct(noisy, images, labels)
        return found

    monkeypatch.setattr(script.nenni, "fit", fit_seen)
    monkeypatch.setattr(script, "correct", correct_seen)
    spec = nenni.InjectionSpec(nenni.TopK(0.5), nenni.Sparse(1 / 8))
    told = script.FITS["exact, measured"]
    row = script.judged_by_halves(model, spec, told, *photos)
    assert row["n"] == 46
    assert row["seconds"] >= 0
    for mine, others in zip(fitted, judged, strict=True):
        assert len(mine) == len(others) == 23
        assert not (mine[:, None] == others[None]).flatten(2).all(2).any()
    every = torch.cat(judged).flatten(1)
    assert len(every.unique(dim=0)) == 46


@pytest.mark.long
def test_a_study_that_was_stopped_goes_on_to_the_same_table(
    script: Any, model: nn.Module, photos: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    file = tmp_path / "lite0.csv"
    script.study(model, *photos, file)
    whole = pd.read_csv(file)
    assert [*whole.columns] == script.COLUMNS
    assert set(whole["network"]) == {"efficientnet_lite0"}
    fits = whole[whole["factor"] == "fit"]
    assert len(fits) == 2 * len(script.FITS) == fits["value"].nunique()
    whole.head(4).to_csv(file, index=False)
    script.study(model, *photos, file)
    again = pd.read_csv(file)
    pd.testing.assert_frame_equal(
        again.drop(columns="seconds"), whole.drop(columns="seconds"), rtol=1e-6
    )
    assert again["seconds"].head(4).equals(whole["seconds"].head(4))


def test_photos_are_cropped_to_their_centre_and_named_by_their_class(
    script: Any, tmp_path: Path
) -> None:
    wide = np.zeros((256, 300, 3), np.uint8)
    wide[16:240, 38:262] = 255
    Image.fromarray(wide).save(tmp_path / "0007_cock.jpg", quality=100)
    Image.fromarray(np.full((256, 256, 3), 127, np.uint8)).save(tmp_path / "0012_finch.jpg")
    images, labels = script.read_photos(tmp_path)
    assert labels.tolist() == [7, 12]
    assert images.shape == (2, 3, 224, 224)
    assert images[0, :, 8:-8, 8:-8].eq(1).all()
    assert images[1].eq(0).all()
    with pytest.raises(UserError, match="has no photos named by their class"):
        script.read_photos(tmp_path / "nothing")


def test_files_of_a_config_hold_other_photos_for_the_fit_than_for_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = script_named("photo_files")
    for i in range(5):
        Image.new("RGB", (230, 240), (i, 0, 0)).save(tmp_path / f"{5 * i:04d}_a.jpg", quality=100)
    network = nn.Sequential(nn.Identity(), nn.Linear(2, 2))
    torch.save(network[1].state_dict(), tmp_path / "w.pt")
    monkeypatch.setattr(made, "build", lambda: nn.Sequential(nn.Identity(), nn.Linear(2, 2)))
    monkeypatch.setattr(made, "published", lambda: str(tmp_path / "w.pt"))
    made.write(tmp_path, tmp_path / "out")
    fit, test = (np.load(tmp_path / "out" / f"{name}.npz") for name in ("fit", "test"))
    assert [fit["y"].tolist(), test["y"].tolist()] == [[0, 10, 20], [5, 15]]
    assert fit["x"].shape == (3, 224, 224, 3)
    assert fit["x"].dtype == np.uint8
    assert abs(int(test["x"][1, 0, 0, 0]) - 3) <= 2
    weights = load_file(tmp_path / "out" / "efficientnet_lite0.safetensors")
    assert torch.equal(weights["1.weight"], network[1].weight)
