"""What a well-formed config may still get wrong: names that nothing defines, values at odds."""

from collections.abc import Iterator
from typing import Any

from nenni.adversary.attack_config import injected_only
from nenni.core import plugins, radius
from nenni.core.declarations import ROOT
from nenni.core.instruction_set import AUTO
from nenni.core.plugins import Ref
from nenni.core.types import Norm
from nenni.networks.architecture import TORCHVISION
from nenni.networks.torchvision_names import weights_of
from nenni.results.main_columns import CLEAN
from nenni.run.config import Base, Config, Diagnose, Evaluation, Suite
from nenni.run.data_contradictions import data_contradictions
from nenni.run.defence_contradictions import defence_contradictions
from nenni.run.problems import Problem, unknown
from nenni.run.product_contradictions import product_contradictions


def contradictions(config: Config) -> Iterator[Problem]:
    """All of them, in the order of the config."""
    if config.run == "reference":
        yield ("run",), "the name 'reference' is reserved for the committed results"
    yield from _of_instruction_set(config)
    yield from _of_bases(config)
    yield from _of_processes(config)
    yield from _of_fit(config)
    yield from dict.fromkeys(_of_finetunes(config))
    yield from defence_contradictions(config)
    yield from _of_evaluations(config)
    yield from _of_suites(config)
    yield from _of_diagnostics(config)
    yield from _of_measurements(config)
    yield from data_contradictions(config)
    yield from product_contradictions(config)


def _of_instruction_set(config: Config) -> Iterator[Problem]:
    """Passes on a CPU that are compiled for whatever processor it is."""
    if config.instruction_set == AUTO or config.device != "cpu":
        return
    for key, entries in (("attacks", config.attacks), ("recipes", config.recipes)):
        for name in (name for name, entry in entries.items() if entry.get("compile")):
            message = f"instruction_set: {config.instruction_set} does not bind a compiler"
            yield (key, name, "compile"), f"{message}; leave one of them out"


def _of_bases(config: Config) -> Iterator[Problem]:
    for name, recipe in config.recipes.items():
        yield from _of_recipe(config, name, recipe)
    for name, base in config.bases.items():
        yield from unknown([base.data], config.data, "bases", name, "data")
        runs = list(map(str, config.seeds))
        yield from unknown(map(str, base.seeds or []), runs, "bases", name, "seeds")
        yield from unknown([base.model], config.models, "bases", name, "model")
        if base.recipe is not None:
            yield from unknown([base.recipe], config.recipes, "bases", name, "recipe")
        elif base.weights is None:
            yield ("bases", name, "recipe"), "is missing, and so are weights: one of them is needed"
        yield from _of_its_training(name, base)
        model = config.models.get(base.model, {"name": ""})
        published = base.weights is not None and base.weights.startswith(TORCHVISION)
        if published and model["name"] not in ("torchvision", ""):
            message = f"{base.weights} is for the model torchvision, not '{model['name']}'"
            yield ("bases", name, "weights"), message
        elif published and base.weights is not None and model["name"]:
            which, known = base.weights.removeprefix(TORCHVISION), weights_of(model["model"])
            if known and which not in known:
                message = f"torchvision has no weights '{which}' of {model['model']}; it has: "
                yield ("bases", name, "weights"), message + ", ".join(known)


def _of_its_training(name: str, base: Base) -> Iterator[Problem]:
    if base.trained_by is None:
        return
    at = ("bases", name, "trained_by")
    yield from unknown([base.trained_by], plugins.names("method"), *at)
    of_file = base.weights is not None and not base.weights.startswith(TORCHVISION)
    if base.recipe is not None or not of_file:
        yield at, "is of weights of a file without a recipe; leave it out"


def _of_processes(config: Config) -> Iterator[Problem]:
    """Recipes whose batches are too small to be shared."""
    used = [base.recipe for base in config.bases.values()]
    used += [tuning.recipe for tuning in config.finetunes.values()]
    for name in dict.fromkeys(recipe for recipe in used if recipe in config.recipes):
        batch = config.recipes[name]["batch_size"]
        if batch < config.processes:
            message = f"{config.processes} share a batch of {batch} images"
            yield ("processes",), f"{message} (recipe '{name}'); use fewer, or a larger one"


def _of_recipe(config: Config, name: str, recipe: dict[str, Any]) -> Iterator[Problem]:
    loc, method = ("recipes", name), recipe["method"]
    adversarial = plugins.constant("method", method["name"], "adversarial", otherwise=True)
    if recipe["attack"] is None and recipe["eps"] > 0:
        yield (*loc, "eps"), "is given without an attack"
    if recipe["attack"] is None and adversarial:
        message = f"is missing: method '{method['name']}' is validated under it"
        yield (*loc, "attack"), message
    if recipe["awp"] and not adversarial:
        yield (*loc, "awp"), "goes with an adversarial method"
    if recipe["attack"] is None:
        return
    if recipe["eps"] == 0:
        yield (*loc, "eps"), "should be above 0 where the recipe has an attack"
    yield from _of_training_attack(config, recipe["attack"], method, *loc)
    attack = config.attacks.get(recipe["attack"])
    if attack and injected_only(attack):
        message = "is an attack on injected networks, and bases are trained before injection"
        yield (*loc, "attack"), message


def _of_training_attack(config: Config, name: str, method: Ref, *loc: str) -> Iterator[Problem]:
    yield from unknown([name], config.attacks, *loc, "attack")
    attack = config.attacks.get(name)
    if attack and method.get("norm", attack["norm"]) != attack["norm"]:
        message = f"method '{method['name']}' is for linf, attack '{name}' for l2"
        yield (*loc, "attack"), message
    if attack and attack.get("compile"):
        message = f"'{name}' has compile: true, which a recipe says for all its passes"
        yield (*loc, "attack"), message


def _of_finetunes(config: Config) -> Iterator[Problem]:
    """Recipes that nothing defines; attacks of their own, where there is one, of the same norm."""
    for name, given in config.finetunes.items():
        if given.recipe is not None:
            yield from unknown([given.recipe], config.recipes, "finetunes", name, "recipe")
    for base_name, defences in config.experiments.items():
        of_base = getattr(config.bases.get(base_name), "recipe", None)
        for name in (d for d in defences if d in config.defences):
            defence = config.defences[name]
            tuning = config.finetunes.get(defence.finetune or "")
            recipe = config.recipes.get((tuning and tuning.recipe) or of_base or "")
            if tuning is None or tuning.attack is None or recipe is None:
                continue
            loc = ("finetunes", str(defence.finetune))
            attack, own = (
                config.attacks.get(tuning.attack),
                config.attacks.get(recipe["attack"] or ""),
            )
            yield from _of_training_attack(config, tuning.attack, recipe["method"], *loc)
            if recipe["attack"] is None:
                message = f"the recipe of '{name}' on '{base_name}' has none, and no eps for one"
                yield (*loc, "attack"), message
            elif attack and own and attack["norm"] != own["norm"]:
                message = (
                    f"'{tuning.attack}' is for {attack['norm']}, the recipe's eps for {own['norm']}"
                )
                yield (*loc, "attack"), message
            if attack and injected_only(attack) and defence.injection is None:
                message = f"is an attack on injected networks, and '{name}' is none"
                yield (*loc, "attack"), message


def _of_fit(config: Config) -> Iterator[Problem]:
    for name in config.experiments:
        if config.fit["attacked"] and name in config.bases and config.bases[name].recipe is None:
            message = f"the base '{name}' has no recipe that would attack the images of a fit"
            yield ("fit", "attacked"), message


def _of_evaluations(config: Config) -> Iterator[Problem]:
    for name, evaluation in config.evaluations.items():
        loc = ("evaluations", name)
        yield from unknown([evaluation.attack], config.attacks, *loc, "attack")
        yield from _covered(config, evaluation, *loc)
        if (attack := config.attacks.get(evaluation.attack)) is not None:
            for base_name, grid in evaluation.eps.items():
                yield from _one_radius(grid, attack["norm"], *loc, "eps", base_name)
            if evaluation.source is not None and injected_only(attack):
                yield (
                    (*loc, "source"),
                    f"attack '{evaluation.attack}' takes injected networks alone",
                )
        yield from _dependent_source(config, evaluation, *loc, "source")


def _one_radius(grid: list[float], norm: Norm, *loc: int | str) -> Iterator[Problem]:
    """Radii that are the same number in units of the input, by which tables are joined."""
    seen: dict[float, float] = {}
    for eps in grid:
        if (other := seen.setdefault(radius.from_config(eps, norm), eps)) != eps:
            yield loc, f"{other!r} and {eps!r} are the same radius"


def _dependent_source(c: Config, part: Evaluation | Diagnose, *loc: int | str) -> Iterator[Problem]:
    """Sources of transfer that are not defined, or not trained apart from what is attacked."""
    if (source := part.source) is None:
        return
    if source.base in part.eps and source.base in c.bases and c.bases[source.base].recipe is None:
        message = f"'{source.base}' has the same weights for every seed, and is attacked itself"
        yield (*loc, "base"), message
    yield from unknown([source.base], c.bases, *loc, "base")
    if source.seed in c.seeds:
        yield (
            (*loc, "seed"),
            f"{source.seed} is one of the run's seeds: the source of a transfer attack should be "
            "trained independently",
        )


def _of_suites(config: Config) -> Iterator[Problem]:
    made: dict[str, str] = {}
    for name, suite in config.suites.items():
        loc = ("suites", name)
        yield from unknown(suite.attacks, config.attacks, *loc, "attacks")
        yield from unknown(suite.subsets, suite.attacks, *loc, "subsets")
        yield from _covered(config, suite, *loc)
        if CLEAN in suite.attacks:
            message = f"'{CLEAN}' is the row of the images as they are; name the attack otherwise"
            yield (*loc, "attacks", suite.attacks.index(CLEAN)), message
        for attack, examples in suite.subsets.items():
            if examples > suite.examples:
                yield (*loc, "subsets", attack), f"should be at most the suite's {suite.examples}"
        for attack in suite.attacks:
            norm = config.attacks[attack]["norm"] if attack in config.attacks else None
            for base_name, radii in suite.eps.items():
                if norm is not None and norm not in radii:
                    yield (*loc, "eps", base_name), f"has no {norm}, which attack '{attack}' keeps"
            if f"{name}_{attack}" in config.evaluations:
                yield loc, f"its attack '{attack}' clashes with evaluation '{name}_{attack}'"
            if (other := made.setdefault(f"{name}_{attack}", name)) != name:
                yield (
                    loc,
                    f"its attack '{attack}' clashes with one of suite '{other}'",
                )


def _of_diagnostics(config: Config) -> Iterator[Problem]:
    if config.diagnose is not None:
        yield from _covered(config, config.diagnose, "diagnose")
        yield from _dependent_source(config, config.diagnose, "diagnose", "source")


def _covered(
    config: Config, part: Evaluation | Suite | Diagnose, *loc: int | str
) -> Iterator[Problem]:
    """Unknown bases, defences and seeds."""
    seeds = list(map(str, config.seeds))
    yield from unknown(part.eps, config.experiments, *loc, "eps")
    yield from unknown(part.defences or [], config.defences, *loc, "defences")
    yield from unknown(map(str, part.seeds or []), seeds, *loc, "seeds")


def _of_measurements(config: Config) -> Iterator[Problem]:
    for key, names, folder in (
        ("presets", config.presets, "presets"),
        ("energy_table", [config.energy_table], "energy_tables"),
    ):
        files = (ROOT / "hwmodel" / folder).glob("*.toml")
        yield from unknown(names, sorted(file.stem for file in files), key)
    yield from unknown([config.sweep.base], config.experiments, "sweep", "base")
    yield from unknown([str(config.sweep.seed)], list(map(str, config.seeds)), "sweep", "seed")
    yield from unknown([config.sweep.attack], config.attacks, "sweep", "attack")
    changes = [d.injection["selection"] for d in config.defences.values() if d.injection]
    chosen = [config.sweep.selection] if config.sweep.selection else changes
    if not any("fraction" in selection for selection in chosen):
        message = "should be one with a fraction, which is swept; no defence has one either"
        yield ("sweep", "selection"), message
