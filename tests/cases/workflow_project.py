"""A copy of the project in which the whole workflow runs on a few digits."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
OF_OTHERS = (
    "resnet18_fgsmrs_cifar10.safetensors", "resnet2b.pth", "resnet20-12fca82f.th",
    "resnet32-d509ac18.th",
)  # fmt: skip
"""Weights that config/given_weights.yaml and config/full_width.yaml name."""
IGNORED = shutil.ignore_patterns("__pycache__", ".*")


@dataclass(frozen=True)
class Project:
    """A folder with the project's code, whose default config is the tiny one."""

    folder: Path
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def copy(cls, folder: Path) -> "Project":
        for part in ("nenni", "hwmodel", "workflow", "config"):
            shutil.copytree(ROOT / part, folder / part, ignore=IGNORED)
        shutil.copy(Path(__file__).with_name("tiny.yaml"), folder / "config" / "config.yaml")
        return cls(folder)

    @property
    def config(self) -> Path:
        return self.folder / "config" / "config.yaml"

    def command(self, module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        environment = os.environ | {"PYTHONPATH": str(self.folder), "NO_COLOR": "1"}
        return [self.python, "-m", module, *arguments], environment | dict(self.environment)

    def run(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        words, environment = self.command(module, *arguments)
        return subprocess.run(
            words, env=environment, cwd=self.folder, capture_output=True, encoding="utf-8"
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A Snakemake in a process group of its own."""
        words, environment = self.command("snakemake", *arguments)
        return subprocess.Popen(
            words, env=environment, cwd=self.folder, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def to_do(self, *arguments: str) -> set[str]:
        """What a plain Snakemake would run now, as it names its jobs, but for the target."""
        done = self.run("snakemake", "-n", *arguments)
        assert done.returncode == 0, done.stderr + done.stdout
        jobs = set(re.findall(r"^Job \d+: (.*)$", done.stdout + done.stderr, re.M))
        return {job for job in jobs if not job.startswith("all of")}

    def results(self) -> dict[str, bytes]:
        return contents(self.folder / "results")


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def bring_data(folder: Path) -> None:
    """Stand-ins for what a user of the configs has to bring: photos, and a file of chest X-rays."""
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
    (folder / "data" / "photos").mkdir()
    x, y = np.zeros((100, 224, 224, 3), np.uint8), np.arange(100)
    for name in ("fit.npz", "test.npz"):
        np.savez(folder / "data" / "photos" / name, x=x, y=y)
    (folder / "data" / "photos" / "efficientnet_lite0.safetensors").touch()
    (folder / "data" / "weights").mkdir()
    for name in OF_OTHERS:
        (folder / "data" / "weights" / name).touch()
    parts = {"train": 4708, "val": 524, "test": 624}
    arrays = {f"{name}_images": np.zeros((n, 28, 28), np.uint8) for name, n in parts.items()}
    labels = {f"{name}_labels": np.zeros((n, 1), np.uint8) for name, n in parts.items()}
    np.savez(folder / "data" / "pneumoniamnist.npz", **arrays, **labels)
