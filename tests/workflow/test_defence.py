"""Every command on networks that the workflow made: their files need nothing else."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from workflow_project import Project

import nenni
from nenni.cost.bench import FORWARD, TRAINING
from nenni.method.injection import noisy_layers


@pytest.mark.slow
def test_bench_of_a_finished_defence(finished: Project) -> None:
    weights = next((finished.folder / "results").glob("*/experiments/*/topk*/seed0/finetuned.*"))
    done = finished.run("nenni", "bench", str(weights), "--batch", "2", "--out", "bench.csv")
    assert done.returncode == 0, done.stderr
    assert "images_per_second" in done.stdout
    assert "train_injected, batch 2: 6/6" in done.stderr
    table = pd.read_csv(finished.folder / "bench.csv").set_index("variant")
    assert list(table.index) == [*FORWARD, *TRAINING]
    assert table.loc["fp32", "over_dense"] == table.loc["train_plain", "over_dense"] == 1
    assert (table["seconds"] > 0).all()


@pytest.mark.slow
def test_a_plain_network_is_refused(finished: Project) -> None:
    weights = next((finished.folder / "results").glob("*/bases/*/seed0/weights.safetensors"))
    done = finished.run("nenni", "bench", str(weights), "--batch", "2")
    assert done.returncode == 2
    assert "nothing is injected; give the file of a defence that injects" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "digits.npz", x=images, y=np.arange(6))
    return tmp_path / "digits.npz"


@pytest.mark.long
@pytest.mark.parametrize(
    "which",
    [
        "experiments/at/topk/seed0/finetuned",
        pytest.param("bases/at/seed0/weights", marks=pytest.mark.slow),
    ],
)
def test_commands_read_a_file_of_the_workflow(
    which: str, finished: Project, digits: Path, tmp_path: Path
) -> None:
    file = f"results/tiny/{which}.safetensors"
    data = ["--data", str(digits)]

    def call(command: str, *words: str) -> str:
        done = finished.run("nenni", command, file, *data, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "pgd_20" in call("evaluate", "--suite", "quick")
    assert "(n = 2)" in call("diagnose", "--examples", "2")
    layers = json.loads(call("describe"))
    assert layers["model"] == "small_cnn"
    assert any(layer["injection"] for layer in layers["layers"]) == ("topk" in which)
    if "topk" not in which:
        assert "layers injected" in call("inject", "--out", str(tmp_path / "n.safetensors"))
        assert any(noisy_layers(nenni.load(tmp_path / "n.safetensors")))


def test_the_library_reads_and_writes_the_files_of_the_workflow(
    finished: Project, tmp_path: Path
) -> None:
    for file in finished.folder.glob("results/tiny/[be]*/**/*.safetensors"):
        network = nenni.load(file)
        nenni.save(network, tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == file.read_bytes()
        with safe_open(file, "pt") as opened:
            meta = json.loads(opened.metadata()["nenni"])
            assert all(
                torch.equal(opened.get_tensor(name), tensor)
                for name, tensor in network.state_dict().items()
            )
        assert meta["format"] == 2
        assert (meta["defence"] is None) == (not any(noisy_layers(network)))


@pytest.mark.long
def test_channels_are_ordered_where_the_config_asks_for_it(finished: Project) -> None:
    results = finished.folder / "results" / "tiny"
    base = nenni.load(results / "bases/at/seed0/weights.safetensors")
    plain = {
        name: nenni.remove(nenni.load(results / f"experiments/at/{name}/seed0/fitted.safetensors"))
        for name in ("topk", "alloc")
    }
    assert torch.equal(plain["topk"].conv2.weight, base.conv2.weight)
    assert not torch.equal(plain["alloc"].conv2.weight, base.conv2.weight)
    x = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(plain["alloc"](x), base(x), atol=1e-4)
