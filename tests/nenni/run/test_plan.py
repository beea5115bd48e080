"""Which experiments a config asks for, and which files they read."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from run_cases import DIGITS, parts

from nenni.core import settings
from nenni.run.config_file import load_config, read_yaml
from nenni.run.experiment import Experiment
from nenni.run.plan import Files, Plan

TOPK = Experiment("pgd_at", "topk_50", 0)


def test_jobs_of_the_default_run(tmp_path: Path) -> None:
    p = parts(tmp_path)[0]
    files = Files(p)
    assert len(p.experiments()) == 20
    assert p.bases() == [
        ("pgd_at", 0),
        ("pgd_at", 1),
        ("standard", 0),
        ("standard", 1),
        ("standard", 100),
    ]
    members = [f"full_{attack}" for attack in p.config.suites["full"].attacks]
    assert p.evaluations(TOPK) == ["fgsm", "pgd_20", "pgd_20_curve", "transfer", *members]
    plain = p.evaluations(Experiment("pgd_at", "none", 0))
    assert set(p.evaluations(TOPK)) - set(plain) == {
        "full_soft_mask", "full_soft_mask_wide", "full_soft_mask_targeted", "full_bpda",
        "full_exact_path",
    }  # fmt: skip
    assert p.evaluations(Experiment("pgd_at", "topk_50", 1)) == ["fgsm", "pgd_20", "transfer"]
    assert p.experiments_with("diagnostics") == [
        Experiment("pgd_at", name, 0) for name in ("none", "none_ft", "topk_50", "inverted_50")
    ]
    assert "pgd_20_curve" not in p.evaluations(Experiment("pgd_at", "topk_50", 1))
    assert files.final_weights(Experiment("pgd_at", "none", 0)) == files.base_weights("pgd_at", 0)
    assert files.final_weights(TOPK).endswith("pgd_at/topk_50/seed0/finetuned.safetensors")


def test_bases_that_differ_in_the_epoch_alone_are_trained_once(tmp_path: Path) -> None:
    old = "  pgd_at: {data: mnist5k, model: small_cnn, recipe: pgd_at}\n"
    more = old + "".join(
        old.replace("pgd_at:", f"{keep}:").replace("}", f", keep: {keep}}}")
        for keep in ("best", "initial")
    )
    files = Files(parts(tmp_path, old, more)[0])
    trained = files.base_weights("pgd_at", 0)
    assert trained == "results/mnist5k/bases/pgd_at/seed0/weights.safetensors"
    for keep in ("best", "initial"):
        assert files.base_weights(keep, 0) == trained.replace("weights", keep)
    assert files.base_weights("standard", 0) == trained.replace("pgd_at", "standard")


def test_files_that_a_config_names_are_inputs(tmp_path: Path) -> None:
    old = "{name: mnist5k}"
    both = parts(tmp_path, old, "{name: npz, train: a.npz, test: b.npz}")[0]
    assert Files(both).raw("mnist5k") == ["a.npz", "b.npz"]
    assert len(Files(both).missing()) == 2
    one = parts(tmp_path, old, "{name: npz, train: a.npz}")[0]
    assert Files(one).raw("mnist5k") == ["a.npz"]
    assert Files(parts(tmp_path)[0]).raw("mnist5k") == []
    old = "  standard: {data: mnist5k, model: small_cnn, recipe: standard}"
    plan, slices = parts(tmp_path, old, old.replace("}", ", weights: w.safetensors}"))
    assert Files(plan).given_weights("standard") == "w.safetensors"
    assert slices.of("pretrain", base="standard", seed="0")["weights"] == "w.safetensors"
    published = plan.config.bases["standard"].model_copy(update={"weights": "torchvision:DEFAULT"})
    bases = plan.config.bases | {"standard": published}
    plan = Plan(plan.config.model_copy(update={"bases": bases}))
    assert Files(plan).given_weights("standard") is None


@pytest.mark.parametrize(
    ("source", "messages"),
    [
        ({"name": "npz", "train": "."}, ["there is no file ."]),
        ({"name": "image_folder", "train": "a", "test": "b", "size": 4},
         ["there is no folder a", "there is no folder b"]),
        ({"name": "mnist", "root": "not/yet"}, []),
    ],
)  # fmt: skip
def test_files_and_folders_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: dict[str, Any], messages: list[str]
) -> None:
    plan = parts(tmp_path)[0]
    split = plan.config.data["mnist5k"].model_copy(
        update={"data": settings.validate("data", source)}
    )
    files = Files(Plan(plan.config.model_copy(update={"data": {"mnist5k": split}})))
    monkeypatch.chdir(tmp_path)
    assert [m.split(": ")[1].split(";")[0] for m in files.missing()] == messages
    data = Path(files.layout.data("mnist5k"))
    data.parent.mkdir(parents=True)
    data.touch()
    assert [m for m in files.missing() if "folder" in m] == []


def test_modules_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = parts(tmp_path)[0]
    own = {"name": "function", "function": "not_there:build"}
    files = Files(Plan(plan.config.model_copy(update={"models": {"own": own}})))
    monkeypatch.chdir(tmp_path)
    (message,) = files.missing()
    assert message.startswith("models.own.name: there is no module of not_there:build; ")
    (tmp_path / "not_there.py").write_text("def build(): ...\n")
    assert files.missing() == []


def test_a_base_and_a_defence_may_have_fewer_seeds_than_the_run(tmp_path: Path) -> None:
    content = read_yaml(DIGITS)
    content["defences"]["topk_50"]["seeds"], content["bases"]["standard"]["seeds"] = [0], [0]
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(content))
    p = Plan(load_config(file))
    made: dict[tuple[str, str], list[int]] = {}
    for e in p.experiments():
        made.setdefault((e.base, e.defence), []).append(e.seed)
    assert made["pgd_at", "topk_50"] == [0]
    assert made["pgd_at", "none"] == [0, 1]
    assert all(seeds == [0] for (base, _), seeds in made.items() if base == "standard")
    assert p.bases() == [("pgd_at", 0), ("pgd_at", 1), ("standard", 0), ("standard", 100)]
    assert {e.seed for e in p.experiments_with("fit") if e.defence == "topk_50"} == {0}
