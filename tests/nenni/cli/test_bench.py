"""``nenni bench``, as a person calls it; of the workflow's networks in tests/workflow."""

from pathlib import Path

import pandas as pd
import pytest

from nenni.cli.main import main
from nenni.core import plugins
from nenni.core.io import read_tensors, write_tensors

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_times_a_network_of_ones_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nenni.cost.bench.FORWARD", ("fp32", "injected"))
    monkeypatch.setattr("nenni.cost.bench.TRAINING", ("train_plain",))
    words = ["bench", "own.safetensors", "--model", "my_digits:build", "--batch", "2"]
    assert main([*words, "--out", "bench.csv"]) == 0
    table = pd.read_csv(folder / "bench.csv").set_index("variant")
    assert (table["seconds"] > 0).all()
    assert "images_per_second" in capsys.readouterr().out


@pytest.mark.long
def test_a_file_without_a_shape_takes_that_of_the_data(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors, meta = read_tensors(folder / "own.safetensors")
    write_tensors(folder / "old", tensors, {"format": 1, "layers": meta["defence"]["layers"]})
    words = ["bench", "old", "--model", "my_digits:build", "--only", "fp32", "--batch", "1"]
    assert main(words) == 2
    assert "old: does not say the shape of an image" in capsys.readouterr().err
    assert main([*words, "--data", "digits.npz"]) == 0
    assert '"seconds"' in capsys.readouterr().out


@pytest.mark.long
def test_every_variant_is_measured_with_the_same_plugins(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(plugins, "_folders", {})
    own = tmp_path / "mine" / "selection" / "like_topk.py"
    own.parent.mkdir(parents=True)
    own.write_text((ROOT / "nenni" / "method" / "selection" / "topk.py").read_text())
    tensors, meta = read_tensors(folder / "own.safetensors")
    for choices in meta["defence"]["layers"].values():
        choices["selection"] = {"name": "like_topk", "fraction": 0.5}
    write_tensors(folder / "mine.safetensors", tensors, meta)
    monkeypatch.setattr("nenni.cost.bench.FORWARD", ("fp32", "injected"))
    monkeypatch.setattr("nenni.cost.bench.TRAINING", ())
    words = ["bench", "mine.safetensors", "--model", "my_digits:build", "--batch", "2"]
    assert main(words) == 2
    assert main([*words, "--plugins", str(tmp_path / "mine"), "--out", "bench.csv"]) == 0
    assert (pd.read_csv(folder / "bench.csv")["seconds"] > 0).all()


def test_settings_and_layers_have_rows_of_their_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ratios are within a setting, those of a layer to the same layer with all neurons."""
    calls: list[tuple[str, int, int]] = []

    def measured(_: object, variant: str, threads: int, batch: int) -> dict[str, object]:
        calls.append((variant, threads, batch))
        if variant == "deployed_layers":
            ways = {"fp32": 8.0, "int8": 5.0, "deployed_dense": 4.0, "deployed": 1.0}
            return {"conv2": {"seconds": ways, "crossover": 0.75}}
        if variant == "predicted":
            layer = {"predicted": 0.5, "predicted_crossover": 0.8}
            return {"conv2": layer, "total": {"predicted": 0.9}}
        at = {"fp32": 8.0, "injected": 16.0}.get(variant, 2.0) / threads
        return {"seconds": at * threads, "wall_seconds": at, "peak_mib": 1.0}

    monkeypatch.setattr("nenni.cli.bench._in_own_process", measured)
    words = ["bench", "own.safetensors", "--batch", "2", "--threads", "1", "2"]
    assert main([*words, "--out", "bench.csv"]) == 0
    assert len(calls) == len(set(calls)) == 2 * 9 + 1
    table = pd.read_csv(folder / "bench.csv").set_index(["threads", "layer", "variant"])
    assert table.loc[(2, "whole network", "injected"), "over_dense"] == 2
    assert table.loc[(2, "whole network", "injected"), "images_per_second"] == 2 / 8
    assert table.loc[(1, "whole network", "train_injected"), "over_dense"] == 1
    layer = table.loc[(1, "conv2", "deployed")]
    assert layer["over_dense"] == 1 / 8
    assert layer["over_int8"] == layer["over_deployed_dense"] == 1 / 4
    assert list(layer[["predicted", "crossover", "predicted_crossover"]]) == [0.5, 0.75, 0.8]
    assert table.loc[(1, "whole network", "deployed"), "predicted"] == 0.9
    assert table.loc[2, "predicted"].isna().all()  # of one core
    others = table.drop(index="deployed", level="variant")
    assert others[["over_deployed_dense", "predicted", "crossover"]].isna().all(axis=None)
    shown = capsys.readouterr().out
    assert "own.safetensors" not in shown
    (line,) = (x.split() for x in shown.splitlines() if x.split()[:3] == ["2", "1", "conv2"])
    assert list(map(float, line[3:])) == [8, 5, 4, 1, 0.25, 0.25, 0.5, 0.75, 0.8]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["w.pt", "--model", "my_digits:build"], "w.pt: nothing is injected; give the file of a"),
        (["absent"], "absent: is missing"),
        ([], "give the FILE of an injected network"),
    ],
)
def test_mistakes(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *words, "--batch", "1"]) == 2
    assert message in capsys.readouterr().err
