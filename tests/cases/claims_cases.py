"""A run with bases of several kinds, and claims about it."""

from pathlib import Path
from typing import Any

import yaml

from nenni.run.claims_config import Claim, Claims
from nenni.run.config import Config

TINY = Path(__file__).with_name("tiny.yaml")
N_OF_M = {"name": "n_m", "n": 4, "m": 8}
TOPK = {"name": "topk", "fraction": 0.5}
_AT = {
    "method": {"name": "adversarial"}, "batch_size": 5, "lr": 0.004, "attack": "pgd_2", "eps": 5.1,
}  # fmt: skip


def run(**changes: Any) -> Config:
    """The tiny run with more bases, whose defences and evaluations have names of no meaning.

    Keys of `changes` with dots (as ``__``) are set within.
    """
    config = yaml.safe_load(TINY.read_text())
    config["recipes"] |= {
        "at": {**_AT, "epochs": 2}, "long": {**_AT, "epochs": 9}, "awp": {**_AT, "epochs": 1, "awp": 0.1},
        "fast": {**_AT, "epochs": 2, "method": {"name": "fgsm_rs"}},
        "trades": {**_AT, "epochs": 2, "method": {"name": "trades"}},
    }  # fmt: skip
    of = {"data": "digits", "model": "cnn"}
    config["bases"] |= {
        "long_last": {**of, "recipe": "long"}, "long_best": {**of, "recipe": "long", "keep": "best"},
        "short_best": {**of, "recipe": "at", "keep": "best"}, "fast": {**of, "recipe": "fast"},
        "trades": {**of, "recipe": "trades"}, "awp": {**of, "recipe": "awp"},
    }  # fmt: skip
    config["defences"] = {
        "plain": {}, "plain_on": {"finetune": "short"},
        "a": {"injection": {"selection": N_OF_M}, "finetune": "short"},
        "b": {"injection": {"selection": TOPK}},
        "moved": {"injection": {"selection": TOPK, "allocate": True}},
        "zeros": {"injection": {"selection": N_OF_M, "noise": {"name": "zero"}}},
    }  # fmt: skip
    config["experiments"] = {
        "at": ["plain", "plain_on", "a", "b", "moved", "zeros"], "standard": ["plain", "b"],
        "long_last": ["plain"], "long_best": ["plain"], "short_best": ["plain"],
        "fast": ["plain", "plain_on", "a"], "trades": ["plain"], "awp": ["plain_on"],
    }  # fmt: skip
    everywhere = {name: [12.75] for name in config["experiments"]}
    config["evaluations"] = {
        "few": {"attack": "pgd_3", "eps": everywhere, "examples": 10},
        "many": {"attack": "pgd_3", "eps": everywhere | {"at": [12.75, 25.5]}, "examples": 20},
        "other": {"attack": "fgsm", "eps": {"at": [12.75]}, "examples": 40, "defences": ["plain", "b"]},
    }  # fmt: skip
    config["suites"] = {}
    del config["diagnose"], config["figures"]
    config |= {"seeds": [0, 1], "figures": {}}
    config["tables"] |= {
        "clean": "many", "columns": {"p": "many"}, "eps": dict.fromkeys(everywhere, 12.75),
        "compare_with": ["plain"],
    }  # fmt: skip
    for place, value in changes.items():
        *within, key = place.split("__")
        block = config
        for name in within:
            block = block[name]
        block[key] = value
    return Config.model_validate(config)


def claim(**changes: Any) -> Claim:
    """A gain under the run's PGD, claimed on CIFAR-10."""
    fields: dict[str, Any] = {
        "text": "t", "source": "s", "datasets": ["cifar10"], "architectures": ["resnet18"],
        "training": ["adversarial"], "arms": [{"selection": N_OF_M}], "measure": "robust_gain",
        "attack": {"name": "pgd", "steps": 3}, "eps": 8, "value": 0.1, "against": ["base"],
    }  # fmt: skip
    chosen = {key: value for key, value in (fields | changes).items() if value is not None}
    return Claim.model_validate(chosen)


def claims(*found: Claim) -> Claims:
    """Claims named c0, c1, ..."""
    sources = {"s": {"cite": "a text", "certainty": "review"}}
    return Claims.model_validate(
        {"sources": sources, "claims": {f"c{i}": c.model_dump() for i, c in enumerate(found)}}
    )
