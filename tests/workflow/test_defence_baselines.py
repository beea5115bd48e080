"""Baselines go the whole way: put in place, fine-tuned, attacked, ablated, costed, shown."""

import json

import pandas as pd
import pytest
import yaml
from workflow_project import Project

import nenni
from nenni.method.baseline import baseline_layers
from nenni.method.injection import is_randomised

EXPERIMENTS = "results/tiny/experiments/at"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.copy(tmp_path_factory.mktemp("baselines") / "project")
    config = yaml.safe_load(project.config.read_text())
    config["defences"] |= {
        "pni": {"baseline": {"name": "pni", "granularity": "channel"}, "finetune": "short"},
        "pni_off": {"without_noise": "pni"},
    }
    config["experiments"] = {"at": ["none", "pni", "pni_off", "topk"]}
    config["evaluations"] = {
        "pgd": {"attack": "pgd_3", "eps": {"at": [12.75]}, "examples": 20, "draws": 2, "tries": 8}
    }
    config["suites"]["few"] |= {
        "defences": ["none", "pni"],
        "examples": 5,
        "attacks": ["pgd_3", "bpda"],
    }
    config["suites"]["few"] |= {"subsets": {}}
    config["diagnose"] |= {"defences": ["pni"], "examples": 4}
    config["figures"] = {
        "robustness_vs_bitops": {"name": "robustness_vs_bitops", "column": "pgd"},
        "persistent_attacker": {"name": "persistent_attacker", "suite": "few"},
    }
    project.config.write_text(yaml.safe_dump(config))
    return project


@pytest.mark.slow
def test_from_the_config_to_the_page(project: Project) -> None:
    done = project.run("snakemake", "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = project.folder / EXPERIMENTS
    names = {f.name for f in (folder / "pni" / "seed0").glob("*.safetensors")}
    assert names == {"defended.safetensors", "finetuned.safetensors"}
    tuned = nenni.load(folder / "pni/seed0/finetuned.safetensors")
    quiet = nenni.load(folder / "pni_off/seed0/without_noise.safetensors")
    assert len(dict(baseline_layers(tuned))) == len(dict(baseline_layers(quiet))) == 6
    assert is_randomised(tuned)
    assert not is_randomised(quiet)
    assert all(
        (tensor == quiet.state_dict()[name]).all() for name, tensor in tuned.state_dict().items()
    )

    tables = project.folder / "results/tiny/tables"
    examples = pd.read_csv(folder / "pni/seed0/attacks/pgd.csv")
    assert set(examples["draws"]) == {8}
    assert set(pd.read_csv(folder / "pni_off/seed0/attacks/pgd.csv")["draws"]) == {1}
    suites = pd.read_csv(tables / "suites.csv")
    assert set(suites.loc[suites["defence"] == "pni", "attack"]) == {
        "clean",
        "pgd_3",
        "all attacks",
    }
    assert set(pd.read_csv(tables / "persistence.csv")["defence"]) == {"pni"}
    paired = pd.read_csv(tables / "paired.csv")
    assert {"pni", "pni_off"} <= set(paired["defence"])
    layers = json.loads((folder / "pni/seed0/layers.json").read_text())["layers"]
    assert [layer["defence"]["draws"] for layer in layers] == [72, 576, 1152, 2304, 25088, 320]
    reductions = pd.read_csv(tables / "reductions.csv")
    total = reductions[(reductions["layer"] == "total") & (reductions["baseline"] == "fp32")]
    with_it = total.groupby("defence")["reduction_with"].max()
    assert with_it["none"] == with_it["pni_off"] == 0 > with_it["pni"]
    latency, energy = (pd.read_csv(tables / f"{name}.csv") for name in ("latency", "energy"))
    for table, column in ((latency, "injected_s"), (energy, "injected_arithmetic_pj")):
        sums = table[table["layer"] == "total"].groupby("defence")[column].sum()
        assert sums["pni"] > sums["none"] == sums["pni_off"]
    html = (project.folder / "results/tiny/index.html").read_text()
    assert "Baseline pni (alpha 0.25, granularity channel, where weights)." in html
    assert "Its noise is switched off." in html
    assert project.to_do() == set()

    file = project.folder / "nenni/defences/baselines/pni.py"
    file.write_text(file.read_text().replace("* sigma)", "* (1.0 * sigma))"))
    jobs = project.to_do()
    assert {
        "defend at/pni/seed0",
        "finetune at/pni/seed0",
        "without_noise at/pni_off/seed0",
    } <= jobs
    of_networks = {job for job in jobs if "/seed0" in job}
    assert all("/pni" in job for job in of_networks)


def test_stages_up_to_a_baseline(project: Project) -> None:
    kinds = {job.split()[0] for job in project.to_do("defend", "--forceall")}
    assert kinds == {"data", "pretrain", "defend"}
