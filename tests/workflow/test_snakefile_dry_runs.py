"""Every config of the project is planned to its last job, with data where it names files."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from workflow_project import Project

ROOT = Path(__file__).parents[2]
RUNS = sorted(
    file.name
    for file in (ROOT / "config").glob("*.yaml")
    if file.read_text(encoding="utf-8").startswith("# yaml-language-server")
)


def named_files(folder: Path) -> None:
    """What a person has to bring: photos in folders, and a file of chest X-rays."""
    for part in ("train", "val"):
        for label in ("cat", "dog"):
            below = folder / "data" / "imagenet" / part / label
            below.mkdir(parents=True)
            for i in range(3000 if part == "train" else 2500):
                photo = below / f"{i}.png"
                if i == 0:
                    Image.new("RGB", (8, 8)).save(photo)
                else:
                    os.link(below / "0.png", photo)
    parts = {"train": 4708, "val": 524, "test": 624}
    arrays = {f"{name}_images": np.zeros((n, 28, 28), np.uint8) for name, n in parts.items()}
    labels = {f"{name}_labels": np.zeros((n, 1), np.uint8) for name, n in parts.items()}
    np.savez(folder / "data" / "pneumoniamnist.npz", **arrays, **labels)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_it_is_planned_whole(name: str, tmp_path: Path) -> None:
    project = Project.copy(tmp_path)
    named_files(tmp_path)
    if name == "config.yaml":
        project.config.write_bytes((ROOT / "config" / name).read_bytes())
    done = project.run("snakemake", "-n", "--quiet", "rules", "--configfile", f"config/{name}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "make_page" in done.stdout
