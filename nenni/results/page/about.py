"""What a run was: its networks and defences in words, the machine, and the config to repeat it."""

import ast
import platform
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nenni.core import machine, own_modules, plugins

_INJECTED = ("projection", "noise", "score", "normalise", "exact_bits")
"""What is said of an injection beside its selection and the bits of the approximation."""
_PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class About:
    """What was run on what.

    Attributes
    ----------
    run : str
        Its name.
    config : str
        The whole config, as YAML.
    facts : list of (str, str)
        What else decides the numbers.
    bases, defences : DataFrame
        A row each, in words.
    """

    run: str
    config: str
    facts: list[tuple[str, str]]
    bases: pd.DataFrame
    defences: pd.DataFrame


def about(asked: dict[str, Any]) -> About:
    """What the slice of the config says, and what this machine is.

    Parameters
    ----------
    asked : dict
        See :meth:`nenni.run.slices.Slices.page`.
    """
    on_gpu = asked["device"] == "cuda"
    facts = [
        ("Seeds", ", ".join(map(str, asked["seeds"]))),
        ("Threads of each job", str(asked["threads"])),
        ("Processor", machine.processor()),
        *([("GPU", machine.gpu())] if on_gpu else []),
        ("System", f"{platform.system()}, {platform.machine()}"),
        *machine.versions().items(),
    ]
    bases = [{"base": name, "what it is": _base(base)} for name, base in asked["bases"].items()]
    defences = [
        {"defence": name, "what it is": _defence(defence)}
        for name, defence in asked["defences"].items()
    ]
    return About(asked["run"], asked["config"], facts, pd.DataFrame(bases), pd.DataFrame(defences))


def summary(kind: str, name: str) -> str:
    """The first line of a plugin's file, which says what it is."""
    told = ast.get_docstring(own_modules.parse(plugins.path(kind, name))) or name
    return told.splitlines()[0]


def _base(base: dict[str, Any]) -> str:
    data, model, recipe = base["data"]["data"], base["model"], base["recipe"]
    trained = "with the weights that it was given"
    if recipe is not None:
        attack = f" under {recipe['attack']['name']}" if recipe["attack"] else ""
        trained = f"trained for {recipe['epochs']} epochs, {recipe['method']['name']}{attack}"
    kept = {"last": "", "best": ", the best epoch", "initial": "; the weights before that"}[
        base["keep"]
    ]
    sizes = ", ".join(f"{base['data'][p]} {p}" for p in _PARTS if base["data"].get(p))
    images = f" ({sizes})" if sizes else ""
    return f"{_named(model)} on {_named(data)}{images}, {trained}{kept}"


def _defence(defence: dict[str, Any]) -> str:
    injection, finetune = defence["injection"], defence["finetune"]
    parts = ["The base as it is."]
    if (baseline := defence.get("baseline")) is not None:
        noise = "" if defence.get("noise", True) else " Its noise is switched off."
        parts = [f"{summary('baseline', baseline['name'])} Baseline {_named(baseline)}.{noise}"]
    if injection is not None:
        selection = injection["selection"]
        bits = "/".join(str(injection[f"{part}_bits"]) for part in ("weight", "input", "projected"))
        settings = [f"{key} {_told(injection[key])}" for key in _INJECTED if key in injection]
        budget = "; its fraction is a budget, spent where it helps most"
        ordered = "; channels in an order for its tiles"
        parts = [
            f"{summary('selection', selection['name'])} Selection {_named(selection)}"
            f"{budget if defence['allocate'] else ''}"
            f"{ordered if defence['order_channels'] else ''}.",
            f"Approximation in {bits} bits (weights/inputs/projected); {', '.join(settings)}.",
        ]
    if finetune is not None:
        by = f", by the recipe {finetune['recipe']}" if finetune["recipe"] else ""
        parts.append(f"Trained on for {finetune['epochs']} epochs ({finetune['parameters']}){by}.")
    elif injection is not None or (baseline is not None and defence.get("noise", True)):
        parts.append("Not trained on.")
    return " ".join(parts)


def _told(value: Any) -> str:
    return _named(value) if isinstance(value, dict) else str(value)


def _named(ref: dict[str, Any]) -> str:
    """A plugin with its settings: ``topk (fraction 0.5)``."""
    settings = ", ".join(f"{key} {value}" for key, value in plugins.arguments(ref).items())
    return f"{ref['name']} ({settings})" if settings else str(ref["name"])
