"""What a well-formed config may still get wrong: names that nothing defines, values at odds."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from nenni.adversary.attack_config import injected_only
from nenni.core import plugins
from nenni.core.plugins import Ref
from nenni.run.config import Claims, Config, Diagnose, Evaluation, Suite, TransferSource
from nenni.run.plan import Plan

Problem = tuple[tuple[int | str, ...], str]
"""Place in the config, and what is wrong there."""


def contradictions(config: Config) -> Iterator[Problem]:
    """All of them, in the order of the config."""
    if config.run == "reference":
        yield ("run",), "the name 'reference' is reserved for the committed results"
    yield from _different(config.seeds, "seeds")
    yield from _of_bases(config)
    yield from _of_defences(config)
    yield from _of_evaluations(config)
    yield from _of_suites(config)
    yield from _of_diagnostics(config)
    yield from _of_measurements(config)
    yield from _of_products(config)


def _of_bases(config: Config) -> Iterator[Problem]:
    for name, recipe in config.recipes.items():
        yield from _of_recipe(config, name, recipe)
    for name, base in config.bases.items():
        yield from _known([base.data], config.data, "bases", name, "data")
        yield from _known([base.model], config.models, "bases", name, "model")
        if base.recipe is not None:
            yield from _known([base.recipe], config.recipes, "bases", name, "recipe")
        elif base.weights is None:
            yield ("bases", name, "recipe"), "is missing, and so are weights: one of them is needed"


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
    if recipe["average"] == 1:
        yield (*loc, "average"), "should be below 1, or the weights never move"
    if recipe["attack"] is None:
        return
    yield from _known([recipe["attack"]], config.attacks, *loc, "attack")
    if recipe["eps"] == 0:
        yield (*loc, "eps"), "should be above 0 where the recipe has an attack"
    attack = config.attacks.get(recipe["attack"])
    if attack and method.get("norm", attack["norm"]) != attack["norm"]:
        message = f"method '{method['name']}' is for linf, attack '{recipe['attack']}' for l2"
        yield (*loc, "attack"), message
    if attack and injected_only(attack):
        message = "is an attack on injected networks, and bases are trained before injection"
        yield (*loc, "attack"), message


def _of_defences(config: Config) -> Iterator[Problem]:
    for name, defence in config.defences.items():
        if defence.finetune is not None:
            yield from _known([defence.finetune], config.finetunes, "defences", name, "finetune")
        change = defence.injection
        if change is not None:
            yield from _unfit_injection(change, "defences", name, "injection")
        if (
            defence.injection is None
            and defence.finetune in config.finetunes
            and config.finetunes[defence.finetune].parameters == "approximation"
        ):
            yield (
                ("defences", name, "finetune"),
                f"'{defence.finetune}' trains the approximation alone, and nothing is injected",
            )
    for base_name, defences in config.experiments.items():
        yield from _known([base_name], config.bases, "experiments")
        base = config.bases.get(base_name)
        if base is not None and base.recipe is None and base.weights is not None:
            known = [name for name in defences if name in config.defences]
            if tuned := [name for name in known if config.defences[name].finetune]:
                message = f"{', '.join(tuned)} need the recipe of their base, which has none"
                yield ("experiments", base_name), message
        yield from _known(defences, config.defences, "experiments", base_name)
        yield from _different(defences, "experiments", base_name)


def _of_evaluations(config: Config) -> Iterator[Problem]:
    for name, evaluation in config.evaluations.items():
        loc = ("evaluations", name)
        yield from _known([evaluation.attack], config.attacks, *loc, "attack")
        yield from _covered(config, evaluation, *loc)
        for base_name, grid in evaluation.eps.items():
            yield from _different(grid, *loc, "eps", base_name)
        yield from _dependent_source(config, evaluation.source, *loc, "source")


def _dependent_source(
    c: Config, source: TransferSource | None, *loc: int | str
) -> Iterator[Problem]:
    if source is None:
        return
    yield from _known([source.base], c.bases, *loc, "base")
    if source.seed in c.seeds:
        yield (
            (*loc, "seed"),
            f"{source.seed} is one of the run's seeds: the source of a transfer attack should be "
            "trained independently",
        )


def _of_suites(config: Config) -> Iterator[Problem]:
    for name, suite in config.suites.items():
        loc = ("suites", name)
        yield from _known(suite.attacks, config.attacks, *loc, "attacks")
        yield from _different(suite.attacks, *loc, "attacks")
        yield from _known(suite.subsets, suite.attacks, *loc, "subsets")
        yield from _covered(config, suite, *loc)
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


def _of_diagnostics(config: Config) -> Iterator[Problem]:
    if config.diagnose is not None:
        yield from _covered(config, config.diagnose, "diagnose")
        yield from _dependent_source(config, config.diagnose.source, "diagnose", "source")


def _covered(
    config: Config, part: Evaluation | Suite | Diagnose, *loc: int | str
) -> Iterator[Problem]:
    """Unknown bases, defences and seeds, or more examples than there are."""
    seeds = list(map(str, config.seeds))
    yield from _known(part.eps, config.experiments, *loc, "eps")
    yield from _known(part.defences or [], config.defences, *loc, "defences")
    yield from _known(map(str, part.seeds or []), seeds, *loc, "seeds")
    for base_name in part.eps:
        yield from _enough(config, base_name, "test", part.examples, *loc, "examples")


def _of_measurements(config: Config) -> Iterator[Problem]:
    yield from _known([config.sweep.base], config.experiments, "sweep", "base")
    yield from _known([str(config.sweep.seed)], list(map(str, config.seeds)), "sweep", "seed")
    yield from _known([config.sweep.attack], config.attacks, "sweep", "attack")
    changes = [d.injection["selection"] for d in config.defences.values() if d.injection]
    chosen = [config.sweep.selection] if config.sweep.selection else changes
    if not any("fraction" in selection for selection in chosen):
        message = "should be one with a fraction, which is swept; no defence has one either"
        yield ("sweep", "selection"), message
    yield from _enough(
        config, config.sweep.base, "test", config.sweep.examples, "sweep", "examples"
    )
    for base_name in config.experiments:
        yield from _enough(
            config, base_name, "val", config.describe.examples, "describe", "examples"
        )
        yield from _enough(
            config, base_name, "train", config.profile.examples, "profile", "examples"
        )
        yield from _enough(config, base_name, "train", config.fit["examples"], "fit", "examples")
    yield from _different(config.profile.fractions, "profile", "fractions")
    yield from _different(config.profile.noises, "profile", "noises")


def _of_products(config: Config) -> Iterator[Problem]:
    yield from _known([config.tables.clean], config.evaluations, "tables", "clean")
    for base_name in config.experiments:
        if base_name not in config.tables.eps:
            yield ("tables", "eps"), f"has no eps for base '{base_name}'"
    for title, name in config.tables.columns.items():
        yield from _known([name], config.evaluations, "tables", "columns", title)
        for base_name, eps in config.tables.eps.items():
            yield from _known([base_name], config.experiments, "tables", "eps")
            grids = config.evaluations[name].eps if name in config.evaluations else {}
            if grids and eps not in grids.get(base_name, []):
                where = ("tables", "eps", base_name)
                yield where, f"evaluation '{name}' has no eps {eps:g} for this base"
    read = [e for n, e in config.evaluations.items() if n in config.tables.columns.values()]
    norms = {config.attacks[e.attack]["norm"] for e in read if e.attack in config.attacks}
    if len(norms) > 1:
        yield ("tables", "columns"), "should be of attacks with one norm, as there is one eps"
    yield from _known(config.tables.compare_with, config.defences, "tables", "compare_with")
    for name, figure in config.figures.items():
        shown = {
            "base": config.experiments,
            "defence": config.experiments.get(figure.get("base", ""), config.defences),
            "evaluation": config.evaluations,
            "column": config.tables.columns,
            "suite": config.suites,
        }
        for key, defined in shown.items():
            asked = [figure[key]] if key in figure else figure.get(f"{key}s", [])
            found = key if key in figure else f"{key}s"
            yield from _known(asked, defined, "figures", name, found)


def figures_without_table(plan: Plan) -> Iterator[Problem]:
    """Figures of a table that the run does not make; the names of its config are known."""
    made = plan.tables()
    for name in plan.config.figures:
        for table in plan.figure_needs(name):
            if table not in made:
                message = f"draws the table '{table}', which this run does not make; it makes: "
                yield ("figures", name), message + ", ".join(made)


def _known(names: Iterable[str], defined: Iterable[str], *loc: int | str) -> Iterator[Problem]:
    for name in names:
        if name not in defined:
            listed = ", ".join(defined) or "none is defined"
            yield loc, f"unknown name '{name}'; defined are: {listed}"


def _different(values: Iterable[Any], *loc: int | str) -> Iterator[Problem]:
    for value, count in Counter(values).items():
        if count > 1:
            yield loc, f"{value} is given {count} times"


def _enough(c: Config, base: str, split: str, asked: int, *loc: int | str) -> Iterator[Problem]:
    if base in c.bases and c.bases[base].data in c.data:
        size = getattr(c.data[c.bases[base].data], split)
        if size is not None and asked > size:
            yield loc, f"should be at most the {size} {split} images of base '{base}'"


def _unfit_injection(change: Ref, *loc: str) -> Iterator[Problem]:
    if not change.get("allocate", False):
        return
    selection = change["selection"]
    if "fraction" not in selection:
        yield (*loc, "allocate"), f"selection '{selection['name']}' has no fraction to allocate"
    for key in {"min_inputs", "layers"} & change.keys():
        message = "cannot differ where fractions are allocated: the profile has other layers"
        yield (*loc, key), message


def bad_claims(claims: Claims, config: Config) -> Iterator[Problem]:
    """Claims whose measure and further keys do not go together."""
    for name, claim in claims.claims.items():
        if (claim.measure == "robust_gain") != (claim.column is not None):
            yield ("claims", name, "column"), "goes with the measure robust_gain, and only with it"
        if (claim.measure == "bitops_reduction") != (claim.bits is not None):
            yield (
                ("claims", name, "bits"),
                "goes with the measure bitops_reduction, and only with it",
            )
