"""Which defences of a run test a claim, and which ones they are compared with."""

from collections.abc import Iterator
from typing import Any

from nenni.core import plugins, settings
from nenni.core.plugins import Ref
from nenni.networks.architecture import TORCHVISION
from nenni.run.claims_config import Against, Arm, Claim
from nenni.run.config import Config, Defence

_METHOD = settings.default("nenni.method.spec", "InjectionSpec", "noise")
"""The noise that is the method itself, which an injection has by default; others are controls."""
_OF_MODEL = ("model", "function", "mean", "std")
"""Parameters of a model that say nothing of its size."""


def arms_of(claim: Claim, config: Config) -> Iterator[tuple[str, str, Arm]]:
    """Base and defence of each experiment that tests a claim, in the order of its arms."""
    seen = set()
    for arm in claim.arms:
        for base, defences in config.experiments.items():
            if training_of(config, base) not in claim.training:
                continue
            for defence in defences:
                own = not _retrained(config, base, defence)
                if (
                    own
                    and (base, defence) not in seen
                    and _is(arm, config.defences[defence], config)
                ):
                    seen.add((base, defence))
                    yield base, defence, arm


def controls_of(
    against: Against, config: Config, base: str, defence: str
) -> list[tuple[str, str, str]]:
    """What an arm is compared with, if there is that: words for it, its base and defence."""
    training = training_of(config, base)
    match against:
        case "same_training":
            finetune = config.defences[defence].finetune
            found = [("the same training without the method", base, finetune)]
        case "base":
            found = [("the base as it is", base, None)]
        case "last_epoch" | "best_epoch":
            keep = against.removesuffix("_epoch")
            bases = [
                b for b in _beside(config, base)
                if training_of(config, b) == training and config.bases[b].keep == keep
            ]  # fmt: skip
            longest = max(bases, key=lambda b: _epochs(config, b), default=None)
            words = f"the {keep} epoch of {training} training"
            found = [] if longest is None else [(words, longest, None)]
        case "baselines":
            found = [
                (f"the baseline of {training_of(config, b)} training", b, None)
                for b in _beside(config, base)
                if training_of(config, b) != training and _is_adversarial(config, b)
            ]
    plain = [(words, b, plain_with(config, b, finetune)) for words, b, finetune in found]
    return [(words, b, name) for words, b, name in plain if name is not None]


def trained_longer(config: Config, base: str, control: str) -> str:
    """How the training of a base differs in length from that of another, in words if it does."""
    epochs, others = _epochs(config, base), _epochs(config, control)
    return f"after {epochs} epochs of training, not {others}" if epochs != others else ""


def lacking_arms(claim: Claim) -> str:
    """What a run without arms of a claim lacks."""
    selections = [told(arm.selection, plugins.arguments(arm.selection)) for arm in claim.arms]
    training = " or ".join(claim.training)
    return f"a defence that selects by {' or '.join(selections)} on a base of {training} training"


def lacking_control(against: Against, config: Config, base: str, defence: str) -> str:
    """What a run lacks that has nothing to compare an arm with."""
    training = training_of(config, base)
    return {
        "same_training": f"a defence of {base} without injection and with the fine-tuning of "
        f"{defence}",
        "base": f"a defence of {base} that does nothing",
        "last_epoch": f"a base of {training} training that keeps the last epoch, with a defence "
        "that does nothing",
        "best_epoch": f"a base of {training} training that keeps the best epoch, with a defence "
        "that does nothing",
        "baselines": "a base of another adversarial training, with a defence that does nothing",
    }[against]


def is_own(claim: Claim, config: Config, base: str) -> bool:
    """Whether a base is trained on the claim's own data."""
    about = about_base(config, base)
    return about["data"] in claim.datasets or about["dataset"] in claim.datasets


def about_base(config: Config, base: str) -> dict[str, str]:
    """Data of a base by name and by plugin, its model, and that with its size if unusual."""
    chosen = config.bases[base]
    model = config.models[chosen.model]
    changed = settings.chosen("model", model)
    size = [f"{key} {value}" for key, value in changed.items() if key not in _OF_MODEL]
    name = str(model.get("model") or model.get("function") or model["name"])
    return {
        "data": chosen.data,
        "dataset": config.data[chosen.data].data["name"],
        "model": name,
        "architecture": f"{name} with {', '.join(size)}" if size else name,
    }


def training_of(config: Config, base: str) -> str | None:
    """Method by which a base was trained, with ``_awp`` if its weights were perturbed."""
    recipe = _recipe(config, base)
    if recipe is not None:
        return _training(recipe)
    chosen = config.bases[base]
    published = (chosen.weights or "").startswith(TORCHVISION)
    return "standard" if published else chosen.trained_by


def _training(recipe: Ref) -> str:
    return str(recipe["method"]["name"]) + ("_awp" if recipe["awp"] else "")


def _retrained(config: Config, base: str, defence: str) -> bool:
    """Whether a defence is trained on in another way than its base was."""
    name = config.defences[defence].finetune
    recipe = None if name is None else config.finetunes[name].recipe
    return recipe is not None and _training(config.recipes[recipe]) != training_of(config, base)


def told(plugin: Ref, values: dict[str, Any]) -> str:
    """A plugin in words, as ``n_m (n 4, m 8)``."""
    size = ", ".join(f"{key} {value}" for key, value in values.items())
    return f"{plugin['name']} ({size})" if size else str(plugin["name"])


def exact_bits(injection: dict[str, Any]) -> int:
    """Width of the exact path, the least where layers differ."""
    everywhere = [injection, *injection["overrides"].values()]
    found: list[int] = [c["exact_bits"] for c in everywhere if "exact_bits" in c]
    return min(found)


def exact_share(selection: Ref) -> float:
    """Nominal share of the neurons that a selection computes exactly; all where it fixes none."""
    if "fraction" in selection:
        return float(selection["fraction"])
    return selection["n"] / selection["m"] if {"n", "m"} <= selection.keys() else 1.0


def injection_of(config: Config, defence: str) -> dict[str, Any]:
    """The whole injection of a defence."""
    return {**config.injection, **(config.defences[defence].injection or {})}


def _is(arm: Arm, defence: Defence, config: Config) -> bool:
    change = defence.injection
    if change is None or change.get("allocate") or change["selection"] != arm.selection:
        return False
    injection = config.injection | change
    chosen = {**arm.selection, "selection": arm.selection, "noise": _METHOD}
    everywhere = [injection, *injection["overrides"].values()]
    alike = all(_keeps(choices, chosen) for choices in everywhere)
    return alike and arm.finetuned in (None, defence.finetune is not None)


def _keeps(choices: dict[str, Any], chosen: dict[str, Any]) -> bool:
    """Whether choices, of all layers or some, leave the essential neurons and the noise alone."""
    decisive = ("selection", "fraction", "noise")
    return all(choices[key] == chosen.get(key) for key in decisive if key in choices)


def plain_with(config: Config, base: str, finetune: str | None) -> str | None:
    """The defence of a base that injects nothing and has this fine-tuning."""
    for name in config.experiments.get(base, []):
        defence = config.defences[name]
        if defence.is_plain and defence.finetune == finetune:
            return name
    return None


def _beside(config: Config, base: str) -> list[str]:
    """The bases of the run with the same data and the same model."""
    chosen = config.bases[base]
    alike = (chosen.data, chosen.model)
    return [b for b in config.experiments if (config.bases[b].data, config.bases[b].model) == alike]


def _is_adversarial(config: Config, base: str) -> bool:
    recipe = _recipe(config, base)
    method = recipe["method"]["name"] if recipe else config.bases[base].trained_by
    return bool(method and plugins.constant("method", method, "adversarial", otherwise=True))


def _recipe(config: Config, base: str) -> Ref | None:
    name = config.bases[base].recipe
    return None if name is None else config.recipes[name]


def _epochs(config: Config, base: str) -> int:
    recipe = _recipe(config, base)
    return 0 if recipe is None else int(recipe["epochs"])
