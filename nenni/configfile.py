"""Read and check config files: one clear line per mistake, before any job starts."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from nenni import plugins
from nenni.config import Claims, Config, InjectionChange
from nenni.errors import UserError

M = TypeVar("M", bound=BaseModel)
Problem = tuple[tuple[int | str, ...], str]


def load_config(path: Path, overrides: dict[str, Any] | None = None) -> Config:
    """Read and check a run's config.

    Parameters
    ----------
    path : Path
        A YAML file.
    overrides : dict
        Top-level keys that replace those of the file.

    Raises
    ------
    UserError
        One line per problem, each with the file, the key and what was expected.
    """
    config = _validate(path, Config, _read_yaml(path) | (overrides or {}))
    _refuse(path, _contradictions(config))
    return config


def load_claims(path: Path, config: Config) -> Claims:
    """Read and check the claims of the paper, which name bases, defences and columns of a run."""
    claims = _validate(path, Claims, _read_yaml(path))
    _refuse(path, _bad_claims(claims, config))
    return claims


def _validate(path: Path, model: type[M], content: dict[str, Any]) -> M:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems: list[Problem] = []
        for e in error.errors():
            if e["type"] == "plugin":
                inner: list[Problem] = e["ctx"]["problems"]
                problems += [((*e["loc"], *loc), message) for loc, message in inner]
            else:
                problems.append((e["loc"], plugins.describe(dict(e))))
        _refuse(path, problems)
        raise


def _refuse(path: Path, problems: Iterable[Problem]) -> None:
    lines = [
        f"{path}: {'.'.join(str(part) for part in loc if part != '[key]')}: {message}"
        for loc, message in problems
    ]
    if lines:
        raise UserError("\n".join(lines))


def _contradictions(config: Config) -> Iterator[Problem]:
    """All names that nothing defines, and values that do not go together."""

    def known(names: Iterable[str], defined: Iterable[str], *loc: int | str) -> Iterator[Problem]:
        for name in names:
            if name not in defined:
                listed = ", ".join(defined) or "none is defined"
                yield loc, f"unknown name '{name}'; defined are: {listed}"

    def different(values: Iterable[Any], *loc: int | str) -> Iterator[Problem]:
        for value, count in Counter(values).items():
            if count > 1:
                yield loc, f"{value} is given {count} times"

    def enough(base: str, split: str, asked: int, *loc: int | str) -> Iterator[Problem]:
        if base in config.bases and config.bases[base].data in config.data:
            size = getattr(config.data[config.bases[base].data], split)
            if asked > size:
                yield loc, f"should be at most the {size} {split} images of base '{base}'"

    if config.run == "reference":
        yield ("run",), "the name 'reference' is reserved for the committed results"
    yield from different(config.seeds, "seeds")
    for name, recipe in config.recipes.items():
        if recipe.attack is None and recipe.eps > 0:
            yield ("recipes", name, "eps"), "is given without an attack to train on"
        if recipe.attack is not None:
            yield from known([recipe.attack], config.attacks, "recipes", name, "attack")
            if recipe.eps == 0:
                yield ("recipes", name, "eps"), "should be above 0 where the recipe has an attack"
    for name, base in config.bases.items():
        yield from known([base.data], config.data, "bases", name, "data")
        yield from known([base.model], config.models, "bases", name, "model")
        yield from known([base.recipe], config.recipes, "bases", name, "recipe")
    for name, defence in config.defences.items():
        if defence.finetune is not None:
            yield from known([defence.finetune], config.finetunes, "defences", name, "finetune")
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
        yield from known([base_name], config.bases, "experiments")
        yield from known(defences, config.defences, "experiments", base_name)
        yield from different(defences, "experiments", base_name)
    for name, evaluation in config.evaluations.items():
        loc = ("evaluations", name)
        yield from known([evaluation.attack], config.attacks, *loc, "attack")
        yield from known(evaluation.eps, config.experiments, *loc, "eps")
        for base_name, grid in evaluation.eps.items():
            yield from different(grid, *loc, "eps", base_name)
        yield from known(evaluation.defences or [], config.defences, *loc, "defences")
        yield from known(
            map(str, evaluation.seeds or []), list(map(str, config.seeds)), *loc, "seeds"
        )
        if evaluation.source is not None:
            yield from known([evaluation.source.base], config.bases, *loc, "source", "base")
            if evaluation.source.seed in config.seeds:
                yield (
                    (*loc, "source", "seed"),
                    f"{evaluation.source.seed} is one of the run's seeds: the source of a transfer "
                    "attack should be trained independently",
                )
        for base_name in evaluation.eps:
            yield from enough(base_name, "test", evaluation.examples, *loc, "examples")
    yield from known([config.sweep.base], config.experiments, "sweep", "base")
    yield from known([str(config.sweep.seed)], list(map(str, config.seeds)), "sweep", "seed")
    yield from known([config.sweep.attack], config.attacks, "sweep", "attack")
    yield from enough(config.sweep.base, "test", config.sweep.examples, "sweep", "examples")
    for base_name in config.experiments:
        yield from enough(base_name, "val", config.describe.examples, "describe", "examples")
        yield from enough(base_name, "train", config.profile.examples, "profile", "examples")
        yield from enough(base_name, "train", config.fit.examples, "fit", "examples")
    yield from different(config.profile.fractions, "profile", "fractions")
    yield from different(config.profile.noises, "profile", "noises")
    yield from known([config.tables.clean], config.evaluations, "tables", "clean")
    for base_name in config.experiments:
        if base_name not in config.tables.eps:
            yield ("tables", "eps"), f"has no eps for base '{base_name}'"
    for title, name in config.tables.columns.items():
        yield from known([name], config.evaluations, "tables", "columns", title)
        for base_name, eps in config.tables.eps.items():
            yield from known([base_name], config.experiments, "tables", "eps")
            grids = config.evaluations[name].eps if name in config.evaluations else {}
            if grids and eps not in grids.get(base_name, []):
                where = ("tables", "eps", base_name)
                yield where, f"evaluation '{name}' has no eps {eps:g} for this base"
    yield from known(config.tables.compare_with, config.defences, "tables", "compare_with")
    for name, figure in config.figures.items():
        shown = {
            "base": config.experiments,
            "defence": config.experiments.get(figure.get("base", ""), config.defences),
            "evaluation": config.evaluations,
            "column": config.tables.columns,
        }
        for key, defined in shown.items():
            asked = [figure[key]] if key in figure else figure.get(f"{key}s", [])
            found = key if key in figure else f"{key}s"
            yield from known(asked, defined, "figures", name, found)


def _unfit_injection(change: InjectionChange, *loc: str) -> Iterator[Problem]:
    selection = change.selection
    if selection["name"] == "n_m" and selection["n"] > selection["m"]:
        yield (*loc, "selection", "n"), f"should be at most m = {selection['m']}"
    if change.allocate and "fraction" not in selection:
        yield (*loc, "allocate"), f"selection '{selection['name']}' has no fraction to allocate"
    for key in ("min_inputs", "layers"):
        if change.allocate and getattr(change, key) is not None:
            message = "cannot differ where fractions are allocated: the profile has other layers"
            yield (*loc, key), message


def _bad_claims(claims: Claims, config: Config) -> Iterator[Problem]:
    for name, claim in claims.claims.items():
        if (claim.measure == "robust_gain") != (claim.column is not None):
            yield ("claims", name, "column"), "goes with the measure robust_gain, and only with it"
        if (claim.measure == "bitops_reduction") != (claim.bits is not None):
            yield (
                ("claims", name, "bits"),
                "goes with the measure bitops_reduction, and only with it",
            )


class _UniqueKeys(yaml.SafeLoader):
    """Loader that refuses a key given twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping whose keys are all different."""
        keys = Counter(str(self.construct_object(key, deep=True)) for key, _ in node.value)
        for key, count in keys.items():
            if count > 1 and key != "<<":
                line = node.start_mark.line + 1
                raise UserError(
                    f"{key}: the name is given {count} times in the block at line {line}"
                )
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(), _UniqueKeys)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        what = getattr(error, "problem", None) or str(error)
        raise UserError(f"{path}: is not valid YAML{line}: {what}") from error
    if content is None:
        raise UserError(f"{path}: is empty; config/config.yaml shows what belongs in it")
    if not isinstance(content, dict):
        raise UserError(f"{path}: should hold keys and values, as config/config.yaml does")
    return content
