"""Layers and defences whose names look like something else go the whole way."""

import pytest
import yaml
from workflow_project import Project

from nenni.core.io import read_csv

NETWORK = '''"""Layers 0, 1.1, 1.10 and 2."""

from torch import nn


def build():
    between = [nn.Identity() for _ in range(6)]
    inner = nn.Sequential(
        nn.ReLU(), nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), *between,
        nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(), nn.Flatten(),
    )
    return nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), inner, nn.Linear(32, 10))
'''
LAYERS = ["0", "1.1", "1.10", "2"]


@pytest.mark.long
def test_layers_of_sequential_networks_and_defences_called_null(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    project = Project.copy(tmp_path_factory.mktemp("names") / "project")
    (project.folder / "my_network.py").write_text(NETWORK)
    config = yaml.safe_load(project.config.read_text())
    config["models"] = {"cnn": {"name": "my_network:build"}}
    config["injection"]["min_inputs"] = 8
    half = {"name": "topk", "fraction": 0.5}
    config["defences"] = {
        "none": {},
        "null": {"injection": {"selection": half}},
        "05": {"injection": {"selection": half, "allocate": True}},
    }
    config["experiments"] = {"at": ["none", "null", "05"]}
    config["evaluations"] = {"fgsm": {"attack": "fgsm", "eps": {"at": [12.75]}, "examples": 20}}
    for part in ("suites", "diagnose"):
        del config[part]
    config["sweep"] |= {"attack": "fgsm", "base": "at"}
    config["tables"] |= {
        "clean": "fgsm", "columns": {"fgsm": "fgsm"}, "eps": {"at": 12.75}, "compare_with": ["none"],
        "controls": {"null": ["none", "05"]},
    }  # fmt: skip
    config["figures"] = {
        "bitops": {"name": "bitops_per_layer", "base": "at", "defences": ["null", "05"]}
    }
    project.config.write_text(yaml.safe_dump(config))
    done = project.run("snakemake", "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    tables = project.folder / "results" / "tiny" / "tables"
    of_fit, counted = read_csv(tables / "fit.csv"), read_csv(tables / "operations.csv")
    for table, defences, layers in (
        (of_fit, ["null", "05"], LAYERS[1:3]),
        (counted, ["none", "null", "05"], LAYERS),
    ):
        assert list(dict.fromkeys(table["defence"])) == defences
        for _, rows in table.groupby("defence"):
            assert set(rows["layer"]) == {*layers}
    controls = read_csv(tables / "controls.csv")
    assert set(controls["defence"]) == {"null"}
    assert set(controls["control"]) == {"none", "05"}
    main = read_csv(tables / "main.csv")
    assert main["defence"].tolist() == ["none", "null", "05"]
    assert main["bitops_fp32_with"].notna().all()
    shown = project.run("nenni", "show")
    assert shown.returncode == 0, shown.stderr
    assert "null" in shown.stdout
