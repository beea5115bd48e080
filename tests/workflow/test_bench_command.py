"""nenni bench on a network that the workflow made."""

import pandas as pd
from workflow_project import Project

from nenni.cost.bench import FORWARD, TRAINING


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


def test_a_plain_network_is_refused(finished: Project) -> None:
    weights = next((finished.folder / "results").glob("*/bases/*/seed0/weights.safetensors"))
    done = finished.run("nenni", "bench", str(weights), "--batch", "2")
    assert done.returncode == 2
    assert "nothing is injected; give the file of a defence that injects" in done.stderr
    assert "Traceback" not in done.stderr
