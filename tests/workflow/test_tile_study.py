"""Tiles hold no more than they can, an order of the channels helps, and a stop costs a row."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from scripts import script_named
from torch import Tensor, nn

import nenni
from nenni.core.io import write_csv
from nenni.networks.models.resnet_cifar import resnet_cifar

ACCURACIES, RECALL = "tiles.csv", "tiles_recall.csv"
ATTACKED = {"tiles_pgd_20.csv": 12, "tiles_standard.csv": 6}


@pytest.fixture(scope="module")
def script() -> Any:
    found = script_named("tile_study")
    found.ORDERING = nenni.Block(0.25, 4, 4)
    found.DEPLOYED, found.ATTACKED = "8x4", {"pgd_20": 12, "standard": 6}
    found.SUITES = found.SUITES | {
        "standard": {"fgsm": {"name": "fgsm"}, "pgd_20": {"name": "pgd", "steps": 2}}
    }
    found.TILES, found.BATCH, found.LOOKED_AT, found.FIT_IMAGES = ((8, 4), (4, 4)), 20, 20, 30
    return found


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return resnet_cifar((3, 8, 8), 10, depth=8).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def labels(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        answers: Tensor = model(images).argmax(1)
    return answers


@pytest.fixture(scope="module")
def out(
    script: Any, model: nn.Module, images: Tensor, labels: Tensor,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    folder = tmp_path_factory.mktemp("tiles")
    script.study(model, images, images, labels, folder)
    return folder


@pytest.mark.long
def test_each_setting_has_a_row_and_the_plain_network_the_first(script: Any, out: Path) -> None:
    table = pd.read_csv(out / ACCURACIES)
    assert table.loc[0, "tile"] == "none"
    assert table.loc[0, "accuracy"] == 1
    expected = [setting.key for setting in script.settings()]
    assert list(table[script.KEYS][1:].itertuples(index=False, name=None)) == expected
    assert len(expected) == 2 * (3 + 2)
    rows = [row for row in expected if row[1] in ("single neurons", "8x4")]
    for name, n in ATTACKED.items():
        attacked = pd.read_csv(out / name)
        assert list(attacked[script.KEYS][1:].itertuples(index=False, name=None)) == rows
        assert (attacked["n"] == n).all()
        assert attacked["accuracy"].iloc[0] < 1


def test_a_tile_is_touched_by_any_of_its_neurons(script: Any) -> None:
    neurons = torch.zeros(2, 4, 1, 4, dtype=torch.bool)
    neurons[0, 1, 0, 3] = neurons[1, 0, 0, 0] = neurons[1, 1, 0, 1] = True
    found = script.any_in_tiles(nenni.Block(0.5, 2, 2), neurons)
    assert found.flatten(1).tolist() == [[False, True, False, False], [True, False, False, False]]
    assert script.any_in_tiles(nenni.TopK(0.5), neurons) is neurons


@pytest.mark.long
def test_no_score_finds_more_than_is_there(out: Path) -> None:
    table = pd.read_csv(out / RECALL)
    single = table["tile"] == "single neurons"
    assert (table.loc[single, "known"] == 1).all()
    assert (table.loc[single, "touched"] - table.loc[single, "fraction"]).abs().max() < 0.02
    assert (table.loc[~single, "touched"] > table.loc[~single, "fraction"]).all()
    for score in ("mean", "calibrated"):
        assert table[score].between(0, 1).all()
        # Tiles at the border are smaller, and a count of neurons may hold fewer of them.
        assert (table[score] <= table["known"] + 0.02).all()
    tiles = table[~single].groupby("order")["mean"].mean()
    assert tiles["learned"] > tiles["as trained"]


@pytest.mark.long
def test_it_goes_on_where_it_was(
    script: Any, model: nn.Module, images: Tensor, labels: Tensor, out: Path, tmp_path: Path
) -> None:
    write_csv(tmp_path / ACCURACIES, pd.read_csv(out / ACCURACIES)[:8])
    recall = pd.read_csv(out / RECALL)
    write_csv(tmp_path / RECALL, recall[recall["order"] == "as trained"])
    for rows, name in enumerate(ATTACKED, 1):
        write_csv(tmp_path / name, pd.read_csv(out / name)[:rows])
    script.study(model, images, images, labels, tmp_path)
    for name in (ACCURACIES, RECALL, *ATTACKED):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes()
