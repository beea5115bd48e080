"""The profiles name rules that there are, and agree on what makes a job run again."""

import re

import yaml
from workflow_project import ROOT

PROFILES = ROOT / "workflow" / "profiles"


def test_resources_are_of_rules_that_there_are() -> None:
    rules = set()
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        rules |= set(re.findall(r"^rule (\w+):", file.read_text(), re.M))
    slurm = yaml.safe_load((PROFILES / "slurm" / "profile.yaml").read_text())
    assert set(slurm["set-resources"]) <= rules
    on_gpu = {name for name, needs in slurm["set-resources"].items() if "gres" in needs}
    uses_device = {"train_base", "finetune_defence", "fit_defence", "profile_base", "sweep_noise"}
    uses_device |= {"attack_experiment", "diagnose_experiment", "describe_experiment"}
    uses_device |= {"card_experiment", "put_baseline", "switch_noise_off"}
    assert on_gpu == uses_device
    default = yaml.safe_load((PROFILES / "default" / "profile.yaml").read_text())
    for key in ("rerun-triggers", "max-checksum-file-size", "rerun-incomplete"):
        assert slurm[key] == default[key]
