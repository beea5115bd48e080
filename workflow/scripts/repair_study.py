"""Whether training on what breaks the method, softer masks or other settings repair it.

    python workflow/scripts/repair_study.py --data FOLDER               # MNIST, as npz files
    python workflow/scripts/repair_study.py --data FOLDER --on cifar10

``FOLDER`` has ``train.npz`` and ``test.npz`` with images ``x`` and labels ``y``, as the dataset
``npz`` reads them. Base and recipe are those of ``config/config.yaml``, on these digits, or
of ``config/cifar10_cpu.yaml``. All networks of a seed start from one base and are fine-tuned for as
long; they differ in the injection, in the attack that they are trained on, and in whether their
masks begin soft. Each row of the table is a network, with its accuracy on test images under every
attack of the study. A run that was stopped goes on where it was. docs/found.md tells the table,
whose columns :func:`_found.repair` explains.
"""

import argparse
import copy
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from _found_tables import repaired
from _repairs import ATTACKS, SETTINGS, Setting, attack_of, topk
from torch import nn

import hwmodel
import nenni
from nenni.core import plugins, runtime
from nenni.core.checkpoint import Checkpoint
from nenni.core.io import read_csv, write_csv, write_json
from nenni.core.seeding import seeded
from nenni.core.settings import validate
from nenni.data.data_file import decode
from nenni.data.split import Images, InMemory, first
from nenni.networks.architecture import Architecture
from nenni.networks.build import build
from nenni.run.config_file import load_claims, load_config
from nenni.run.injected import injected
from nenni.run.slices import Slices
from nenni.training.recipe import Recipe
from nenni.training.schedules.cosine import cosine
from nenni.training.train import train

CONFIGS = Path("config")
STUDIES: dict[str, dict[str, Any]] = {
    "mnist": {"config": "config.yaml", "base": "pgd_at", "train": 3000, "epochs": 3},
    "cifar10": {"config": "cifar10_cpu.yaml", "base": "fgsm_rs", "train": 49000, "epochs": 2},
}
"""Where a study has its base from, how many images it trains on, and how long it is fine-tuned."""
SUITE: dict[str, dict[str, Any]] = {
    "pgd_20": {"name": "pgd", "steps": 20},
    "apgd_pm": {"name": "apgd", "loss": "pm", "steps": 50},
    "apgd_targeted": {"name": "apgd_targeted", "steps": 20},
    "soft_mask": {"name": "apgd", "loss": "pm", "steps": 50, "surrogate": {"name": "soft_mask"}},
    "bpda": {"name": "apgd", "loss": "pm", "steps": 50, "surrogate": {"name": "bpda"}},
    "square": {"name": "square", "queries": 500},
}
"""What all networks are judged by; those without masks by what is not of masks."""
VALIDATION = 100
"""Images that tell how a training goes, and on which masks are counted; they choose nothing."""
TEMPERATURE = 1.0
"""With which soft masks begin."""
KEYS = ["data", "seed", "setting"]


def main() -> None:
    """Parse the command line and run the study."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of train.npz and test.npz")
    parser.add_argument("--on", choices=STUDIES, default="mnist")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--train", type=int, help="training images")
    parser.add_argument("--epochs", type=int, help="of fine-tuning")
    parser.add_argument("--base-epochs", type=int, help="of the base's training")
    parser.add_argument("--test", type=int, default=200, help="test images")
    parser.add_argument("--out", type=Path, default=Path("results/reference/repair.csv"))
    asked = parser.parse_args()
    runtime.prepare({"threads": 1, "device": "cpu"})
    study = Study.of(asked)
    rows = read_csv(asked.out).to_dict("records") if asked.out.exists() else []
    done = {tuple(row[key] for key in KEYS) for row in rows}
    for seed in asked.seeds:
        base = None
        for name in asked.settings:
            if (asked.on, seed, name) in done:
                continue
            base = study.base(seed) if base is None else base
            rows.append({"data": asked.on, "seed": seed, "setting": name})
            rows[-1] |= study.judged(base, seed, SETTINGS[name])
            print({k: v for k, v in rows[-1].items() if k != "held"}, flush=True)
            write_csv(asked.out, pd.DataFrame(rows))
    print(repaired(pd.DataFrame(rows)).to_string(index=False))


@dataclass(frozen=True)
class Study:
    """What all networks of a study share.

    Attributes
    ----------
    slices
        Of its config.
    name
        Base of that config.
    data
        "train", "val" and "test" -> images.
    test, epochs, base_epochs
        Test images; epochs of fine-tuning, and of the base, None for those of its recipe.
    """

    slices: Slices
    name: str
    data: dict[str, Images]
    test: int
    epochs: int
    base_epochs: int | None

    @classmethod
    def of(cls, asked: argparse.Namespace) -> "Study":
        """As the command line asks."""
        chosen = STUDIES[asked.on]
        slices = Slices(
            load_config(CONFIGS / chosen["config"]), load_claims(CONFIGS / "claims.yaml")
        )
        data = _images(asked.data, asked.train or chosen["train"], asked.test)
        epochs = asked.epochs or chosen["epochs"]
        return cls(slices, chosen["base"], data, asked.test, epochs, asked.base_epochs)

    def base(self, seed: int) -> nn.Module:
        """The base, trained by its recipe."""
        asked = self.slices.of("pretrain", base=self.name, seed=str(seed))
        images, _ = first(self.data["train"], 1)
        classes = int(self.data["train"].labels.max()) + 1
        with seeded(seed, "initial weights"):
            model = build(Architecture(asked["model"], tuple(images.shape[1:]), classes))
        recipe = Recipe.from_config(asked["recipe"])
        recipe = replace(recipe, epochs=self.base_epochs or recipe.epochs)
        self._trained(model, recipe, (seed, "pretrain"))
        return model

    def judged(self, base: nn.Module, seed: int, setting: Setting) -> dict[str, Any]:
        """Columns of a row: what the setting is, and what comes out."""
        named = {"base": self.name, "defence": "nm_4_8", "seed": str(seed)}
        tuning, fit = (self.slices.of(s, **named) for s in ("finetune", "project"))
        injection = {**tuning["injection"], **topk(0.5), **(setting.injection or {})}
        recipe = self._recipe(tuning, setting)
        started = time.process_time()
        model = copy.deepcopy(base)
        if setting.injection is not None:
            there = self.data["train"]
            images, _ = first(there, min(fit["fit"]["examples"], len(there)))
            model = injected(base, injection, images, fit["fit"], seed)
        self._trained(model, recipe, (seed, "finetune"), TEMPERATURE if setting.annealed else 0.0)
        seconds = time.process_time() - started
        return {
            **_told(injection, setting),
            **self._attacked(model, recipe.eps),
            "saved": _saved(model, first(self.data["val"], VALIDATION)[0]),
            "seconds": round(seconds, 1),
        }

    def _recipe(self, tuning: dict[str, Any], setting: Setting) -> Recipe:
        recipe = Recipe.from_config(tuning["recipe"])
        if setting.attack is not None:
            method = plugins.build("method", {"name": "adversarial"})
            recipe = replace(recipe, method=method, attack=attack_of(ATTACKS[setting.attack]))
        lr, schedule = tuning["finetune"]["lr"], partial(cosine, warmup=0.0)
        return replace(recipe, epochs=self.epochs, lr=lr, eps_ramp=0.0, schedule=schedule)

    def _attacked(self, model: nn.Module, eps: float) -> dict[str, Any]:
        found = nenni.evaluate(model, first(self.data["test"], self.test), SUITE, eps=eps)
        accuracy = found.summary.set_index("attack")["accuracy"]
        held = found.robust.to_numpy() == 1
        return {
            "clean": float(accuracy["clean"]),
            "pgd_20": float(accuracy["pgd_20"]),
            "least": float(held.mean()),
            "n": len(held),
            "held": "".join("y" if right else "n" for right in held),
        }

    def _trained(
        self, model: nn.Module, recipe: Recipe, purpose: tuple[int, str], width: float = 0.0
    ) -> None:
        train(
            model, self.data, recipe, purpose, parameters=list(model.parameters()),
            checkpoint=Checkpoint(), mask_temperature=width,
        )  # fmt: skip
        model.eval()


def _told(injection: dict[str, Any], setting: Setting) -> dict[str, Any]:
    """What a setting consists of, for the table."""
    if setting.injection is None:
        return {"selection": "-", "bits": "-", "ratio": "-", "training": setting.training}
    selection, projection = injection["selection"], injection["projection"]
    return {
        "selection": f"{selection['name']} {selection['fraction']:g}",
        "bits": str(injection["weight_bits"]),
        "ratio": f"{projection['name']} {projection['ratio']:g}",
        "training": setting.training,
    }


def _saved(model: nn.Module, images: Any) -> float:
    """Share of BitOPs that is saved INT8 to INT8, overheads counted."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "layers.json"
        write_json(file, nenni.describe(model, images))
        rows = hwmodel.reductions(hwmodel.load(file))
    wanted = ("total", "int8", "exact_at_baseline")
    return next(r.reduction_with for r in rows if (r.layer, r.baseline, r.variant) == wanted)


def _images(folder: Path, train: int, test: int) -> dict[str, Images]:
    """The first training images, some for validation, and the test images, of npz files."""
    data = {"name": "npz", "train": str(folder / "train.npz"), "test": str(folder / "test.npz")}
    sizes = {"train": train, "val": VALIDATION, "test": test}
    tensors, _, _ = decode(validate("data", data), sizes, 0)
    return {
        split: InMemory(tensors["images"], tensors["labels"][tensors[split]], tensors[split])
        for split in sizes
    }


if __name__ == "__main__":
    main()
