"""Tables and figures of what a run does not make."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.core.plugins import Ref
from nenni.results.knobs import turned
from nenni.results.main_columns import clashes
from nenni.run.claim_arms import injection_of
from nenni.run.config import Config
from nenni.run.plan import Plan
from nenni.run.problems import Problem, unknown


def product_contradictions(config: Config) -> Iterator[Problem]:
    """Those of names that nothing defines, and of columns that overwrite others."""
    yield from unknown([clean := config.tables.clean], config.evaluations, "tables", "clean")
    counted = config.evaluations[clean].eps if clean in config.evaluations else config.tables.eps
    for base_name in config.tables.eps:
        if base_name not in counted:
            yield ("tables", "clean"), f"evaluation '{clean}' has no images of base '{base_name}'"
    for title, why in clashes([*config.tables.columns]):
        yield ("tables", "columns", title), why
    for base_name in config.experiments:
        if base_name not in config.tables.eps:
            yield ("tables", "eps"), f"has no eps for base '{base_name}'"
    read_as: dict[str, str] = {}
    for title, name in config.tables.columns.items():
        yield from unknown([name], config.evaluations, "tables", "columns", title)
        if (other := read_as.setdefault(name, title)) != title:
            message = f"reads evaluation '{name}', as '{other}' does; leave one of them out"
            yield ("tables", "columns", title), message
        grids = config.evaluations[name].eps if name in config.evaluations else {}
        if grids and not grids.keys() & config.tables.eps.keys():
            yield ("tables", "columns", title), f"evaluation '{name}' attacks no base of the table"
        for base_name, eps in config.tables.eps.items():
            yield from unknown([base_name], config.experiments, "tables", "eps")
            if eps not in grids.get(base_name, [eps]):  # a base that is not attacked has no cell
                where, exact = ("tables", "eps", base_name), repr(eps).removesuffix(".0")
                yield where, f"evaluation '{name}' has no eps {exact} for this base"
    read = [e for n, e in config.evaluations.items() if n in config.tables.columns.values()]
    norms = {config.attacks[e.attack]["norm"] for e in read if e.attack in config.attacks}
    if len(norms) > 1:
        yield ("tables", "columns"), "should be of attacks with one norm, as there is one eps"
    yield from unknown(config.tables.compare_with, config.defences, "tables", "compare_with")
    for method, controls in config.tables.controls.items():
        yield from unknown([method, *controls], config.defences, "tables", "controls", method)
        if not any({method, c} <= {*d} for d in config.experiments.values() for c in controls):
            yield ("tables", "controls", method), "no base has it and one of its controls"
    for name, figure in config.figures.items():
        shown = {
            "base": config.experiments,
            "defence": (here := config.experiments.get(figure.get("base", ""), config.defences)),
            "control": here,
            "evaluation": config.evaluations,
            "column": config.tables.columns,
            "suite": config.suites,
        }
        for key, defined in shown.items():
            found = key if key in figure else f"{key}s"
            yield from unknown(_asked(figure, key), defined, "figures", name, found)


def empty_products(plan: Plan) -> Iterator[Problem]:
    """Measurements of nothing, and figures without rows; the names of the config are known."""
    config, experiments = plan.config, plan.experiments()
    done = {name for e in experiments for name in plan.evaluations(e)}
    why = "is about no experiment: none has its base, defence and seed, and what its attack takes"
    for name in config.evaluations:
        if name not in done:
            yield ("evaluations", name), why
    in_suites = {key.split("/")[3] for key in plan.suite_inputs()}
    for name in config.suites:
        if name not in in_suites:
            yield ("suites", name), why
    if config.diagnose is not None and not plan.experiments_with("diagnostics"):
        yield ("diagnose",), why
    made = plan.tables()
    for name, figure in config.figures.items():
        if "settings" in plugins.needs("figure", figure["name"]):
            for defence in figure["defences"]:
                if not plan.injected(defence):
                    yield ("figures", name), f"defence '{defence}' injects nothing"
                elif knob := figure.get("knob"):
                    yield from _without_knob(config, name, defence, knob)
        for table in plan.figure_needs(name):
            if table not in made:
                message = f"draws the table '{table}', which this run does not make; it makes: "
                yield ("figures", name), message + ", ".join(made)
            else:
                yield from _without_rows(plan, name, table)


def _without_knob(config: Config, name: str, defence: str, knob: str) -> Iterator[Problem]:
    try:
        turned(defence, injection_of(config, defence), knob)
    except UserError as error:
        yield ("figures", name), str(error)


def _without_rows(plan: Plan, name: str, table: str) -> Iterator[Problem]:
    """What a figure asks of a table that has no such rows; of suites none if it names none."""
    figure = dict(plan.config.figures[name])
    if table == "suites" and "suite" not in figure:
        return
    rows = plan.rows(table)
    if "column" in figure:
        figure["evaluation"] = plan.config.tables.columns[figure["column"]]
    keys = [key for key in ("base", "defence", "evaluation", "suite") if _asked(figure, key)]
    for wanted in product(*(_asked(figure, key) for key in keys)):
        asked = dict(zip(keys, wanted, strict=True))
        if not any(_agrees(row, asked) for row in rows):
            told = ", ".join(f"{key} '{value}'" for key, value in asked.items())
            yield ("figures", name), f"draws the table '{table}', which has no rows of {told}"


def _agrees(row: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    return all(row.get(key, value) == value for key, value in asked.items())


def _asked(figure: Ref, key: str) -> list[Any]:
    """The bases, defences and so on that a figure names, one or several."""
    return [figure[key]] if key in figure else figure.get(f"{key}s", [])
