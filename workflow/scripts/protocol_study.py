"""How long, at what ratio and at what rate to fine-tune, so that the result has settled.

    python workflow/scripts/protocol_study.py

On the digits, base and recipe of ``config/config.yaml``, and on its validation images alone: test
images choose nothing. Each row is a fine-tuned network: the control without injection, or one that
is injected. ``least`` is over PGD-20, APGD on the margin, and APGD through a soft mask. A run that
was stopped goes on where it was. Its curve is drawn anew: how far an injected network lies
from the control of the same seed, rate and length.
"""

import argparse
import copy
import itertools
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from _protocol_tables import MEASURED, gaps
from torch import nn

import nenni
from nenni.core import runtime
from nenni.core.checkpoint import Checkpoint
from nenni.core.io import read_csv, write_csv
from nenni.core.seeding import seeded
from nenni.data.data_file import decode
from nenni.data.split import Images, InMemory, first
from nenni.networks.architecture import Architecture
from nenni.networks.build import build
from nenni.results.figure_style import grid, look, prepare, save_png
from nenni.run.config_file import load_claims, load_config
from nenni.run.injected import injected
from nenni.run.slices import Slices
from nenni.training.recipe import Recipe
from nenni.training.schedules.cosine import cosine
from nenni.training.train import train

CONFIG = Path("config/config.yaml")
BASE = "pgd_at"
SELECTIONS: dict[str, dict[str, Any] | None] = {
    "none": None,
    "4:8": {"name": "n_m", "n": 4, "m": 8},
    "top-k 50 %": {"name": "topk", "fraction": 0.5},
}
ATTACKS: dict[str, dict[str, Any]] = {
    "pgd_20": {"name": "pgd", "steps": 20},
    "apgd": {"name": "apgd", "loss": "pm", "steps": 50},
    "soft_mask": {"name": "apgd", "loss": "pm", "steps": 50, "surrogate": {"name": "soft_mask"}},
}
KEYS = ["seed", "selection", "projection", "ratio", "lr", "epochs"]


def main() -> None:
    """Parse the command line and run the study."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", nargs="+", type=int, default=[2, 4, 8, 16])
    parser.add_argument("--lrs", nargs="+", type=float, default=[0.001, 0.003])
    parser.add_argument("--ratios", nargs="+", type=float, default=[0.125, 0.5])
    parser.add_argument(
        "--projections", nargs="+", choices=("sparse", "tap_shared"), default=["sparse"]
    )
    parser.add_argument("--selections", nargs="+", choices=SELECTIONS, default=list(SELECTIONS))
    parser.add_argument("--out", type=Path, default=Path("results/reference/protocol.csv"))
    asked = parser.parse_args()
    runtime.prepare({"threads": 1, "device": "cpu"})
    slices = Slices(load_config(CONFIG), load_claims(CONFIG.with_name("claims.yaml")))
    data = _digits(slices)
    rows = read_csv(asked.out).to_dict("records") if asked.out.exists() else []
    done = {tuple(row[key] for key in KEYS) for row in rows}
    for seed in asked.seeds:
        base = None
        for setting in _settings(asked):
            if (seed, *setting) in done:
                continue
            base = _base(slices, data, seed) if base is None else base
            rows.append(dict(zip(KEYS, (seed, *setting), strict=True)))
            rows[-1] |= judged(slices, data, base, seed, *setting)
            print(rows[-1], flush=True)
            write_csv(asked.out, pd.DataFrame(rows))
    draw(gaps(pd.DataFrame(rows)), asked.out)


def draw(gaps: pd.DataFrame, table: Path) -> None:
    """Gap against epochs, a panel per attack and selection: means, and a point for each seed."""
    prepare()
    kinds = list(dict.fromkeys(gaps["selection"]))
    titles = {"pgd_20": "PGD-20", "least": "least over three attacks"}
    figure, axes = grid(len(kinds) * len(titles), 7.2, 2.6, columns=2)
    settings = ["projection", "ratio", "lr"]
    styles = look([*map(str, sorted(set(gaps[settings].itertuples(index=False, name=None))))])
    panels = itertools.product(kinds, titles.items())
    for axis, (kind, (column, title)) in zip(axes, panels, strict=True):
        for setting, here in gaps[gaps["selection"] == kind].groupby(settings, sort=True):
            style = styles[str(setting)]
            name, ratio, lr = setting
            mean = here.groupby("epochs")[column].mean()
            axis.plot(mean.index, 100 * mean, label=f"{name} {ratio:g}, rate {lr:g}", **style)
            each = {"s": 8, "color": style["color"], "alpha": 0.5, "lw": 0}
            axis.scatter(here["epochs"], 100 * here[column], **each)
        axis.set_title(f"{kind}, {title}")
        axis.set_xscale("log", base=2)
        axis.set_xticks(sorted(set(gaps["epochs"])), sorted(set(gaps["epochs"])))
        axis.set_xlabel("epochs of fine-tuning")
        axis.set_ylabel("points to the control")
        axis.set_ylim(100 * gaps[column].min() - 2, 2)
        axis.axhline(0, color="black", lw=0.8)
    handles = {
        label: handle
        for axis in axes
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    save_png(figure, table.with_suffix(".png"))


def judged(
    slices: Slices,
    data: dict[str, Images],
    base: nn.Module,
    seed: int,
    selection: str,
    projection: str,
    ratio: float,
    lr: float,
    epochs: int,
) -> dict[str, float]:
    """Validation accuracies of a network that was fine-tuned so, and its CPU seconds."""
    asked = slices.of("finetune", base=BASE, defence="nm_4_8", seed=str(seed))
    started = time.process_time()
    model = copy.deepcopy(base)
    if (chosen := SELECTIONS[selection]) is not None:
        how = {"selection": chosen, "projection": {"name": projection, "ratio": ratio}}
        fit = slices.of("project", base=BASE, defence="nm_4_8", seed=str(seed))["fit"]
        images, _ = first(data["train"], fit["examples"])
        model = injected(base, asked["injection"] | how, images, fit, seed)
    _trained(model, data, _recipe(asked["recipe"], lr, epochs), (seed, "finetune"))
    seconds = time.process_time() - started
    held_out = first(data["val"], len(data["val"]))
    found = nenni.evaluate(model, held_out, ATTACKS, eps=asked["recipe"]["eps"])
    accuracy = found.summary.set_index("attack")["accuracy"]
    found_as = ("clean", "pgd_20", "all attacks")
    measured = {k: float(accuracy[name]) for k, name in zip(MEASURED, found_as, strict=True)}
    return measured | {"seconds": round(seconds)}


def _settings(asked: argparse.Namespace) -> list[tuple[str, str, float, float, int]]:
    """The control once for each rate and length; the others at each projection and ratio."""
    found = []
    for selection, lr, epochs in itertools.product(asked.selections, asked.lrs, asked.epochs):
        if SELECTIONS[selection] is None:
            found.append((selection, "-", 0.0, lr, epochs))
        else:
            places = itertools.product(asked.projections, asked.ratios)
            found += [(selection, name, ratio, lr, epochs) for name, ratio in places]
    return found


def _digits(slices: Slices) -> dict[str, Images]:
    asked = slices.of("data", data="mnist5k")
    sizes = {split: asked[split] for split in ("train", "val", "test")}
    tensors, _, _ = decode(asked["data"], sizes, asked["split_seed"])
    return {
        split: InMemory(tensors["images"], tensors["labels"][tensors[split]], tensors[split])
        for split in ("train", "val")
    }


def _base(slices: Slices, data: dict[str, Images], seed: int) -> nn.Module:
    asked = slices.of("pretrain", base=BASE, seed=str(seed))
    with seeded(seed, "initial weights"):
        model = build(Architecture(asked["model"], (1, 28, 28), 10))
    _trained(model, data, Recipe.from_config(asked["recipe"]), (seed, "pretrain"))
    return model


def _recipe(config: dict[str, Any], lr: float, epochs: int) -> Recipe:
    recipe = Recipe.from_config(config)
    return replace(recipe, epochs=epochs, lr=lr, schedule=partial(cosine, warmup=0.0), eps_ramp=0.0)


def _trained(
    model: nn.Module, data: dict[str, Images], recipe: Recipe, purpose: tuple[int, str]
) -> None:
    parameters = list(model.parameters())
    train(model, data, recipe, purpose, parameters=parameters, checkpoint=Checkpoint())
    model.eval()


if __name__ == "__main__":
    main()
