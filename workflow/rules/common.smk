# Reads the config and turns it into what the rules ask for. No rule stands here.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

import hwmodel
from nenni.run.config_file import load_claims, load_config, with_types
from nenni.core.errors import UserError
from nenni.run.experiment import Experiment
from nenni.run.locks import note_owner
from nenni.run.plan import COLLECTED, Plan, canonical, code

if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    shell.prefix(f"PATH={Path(sys.executable).parent}:$PATH; ")

CONFIG_FOLDER = Path(workflow.basedir).parent / "config"


def read_plan():
    """The plan of the config that was asked for: --configfile, or the default."""
    files = [Path(file) for file in workflow.configfiles] or [CONFIG_FOLDER / "config.yaml"]
    if len(files) > 1:
        raise UserError(f"one config file describes a run; {len(files)} were given")
    file = files[0].resolve()
    file = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    config = load_config(file, with_types(dict(workflow.config_settings.config or {})))
    try:
        for preset in config.presets:
            hwmodel.load_preset(preset)
    except ValueError as error:
        raise UserError(f"{file}: presets: {error}") from None
    try:
        hwmodel.load_energy_table(config.energy_table)
    except ValueError as error:
        raise UserError(f"{file}: energy_table: {error}") from None
    return Plan(config, load_claims(CONFIG_FOLDER / "claims.yaml", config))


try:
    PLAN = read_plan()
except UserError as error:
    raise WorkflowError(str(error)) from None

R = PLAN.results
C = PLAN.config


wildcard_constraints:
    data="[a-z0-9_]+",
    base="[a-z0-9_]+",
    defence="[a-z0-9_]+",
    evaluation="[a-z0-9_]+",
    figure="[a-z0-9_]+",
    table="|".join(COLLECTED),
    seed="[0-9]+",


def experiment(wildcards):
    """The experiment that a job's wildcards name."""
    return Experiment(wildcards.base, wildcards.defence, int(wildcards.seed))


def experiments_with(table):
    """The experiments that a collected table has rows of."""
    if table.startswith("diagnostic"):
        return PLAN.diagnosed()
    fitted = table in ("fit", "errors")
    return [e for e in PLAN.experiments() if not fitted or PLAN.injected(e.defence)]


def profile_inputs(wildcards):
    """What the profile tells a defence that allocates a budget."""
    if not PLAN.allocates(wildcards.defence):
        return {}
    return {"distribution": f"{R}/bases/{wildcards.base}/seed{wildcards.seed}/distribution.csv"}


def source_input(wildcards):
    """The independently trained network of a transfer attack."""
    return source_weights(PLAN.all_evaluations[wildcards.evaluation].source)


def diagnose_source(wildcards):
    """The same for the diagnostics."""
    return source_weights(C.diagnose.source)


def source_weights(source):
    """Weights of a source, as a named input."""
    return {"source": PLAN.base_weights(source.base, source.seed)} if source else {}


def hardware_sources():
    """Source files of the cost model, and the tables of constants that the config names."""
    folder = Path(hwmodel.__file__).parent
    files = [*folder.glob("*.py"), *(folder / "presets" / f"{name}.toml" for name in C.presets)]
    files.append(folder / "energy_tables" / f"{C.energy_table}.toml")
    here = Path.cwd()
    return sorted(str(f.relative_to(here)) if f.is_relative_to(here) else str(f) for f in files)


def table_files():
    """All tables of the run."""
    names = [table for table in COLLECTED if experiments_with(table)]
    names += ["accuracy", "paired", "main", "claims", "sweep"]
    names += ["suites"] if PLAN.suite_inputs() else []
    return [f"{R}/tables/{name}.csv" for name in names]


def figure_files():
    """All figures of the run."""
    return [f"{R}/figures/{name}.{kind}" for name in C.figures for kind in ("pdf", "png")]


def attacked(experiment, evaluation, kind):
    """What an attack found: its examples (csv), or notes on it (json)."""
    return f"{R}/experiments/{experiment.folder}/attacks/{evaluation}.{kind}"


ATTACKED = {
    f"{e.key}/{evaluation}": attacked(e, evaluation, "csv")
    for e in PLAN.experiments()
    for evaluation in PLAN.evaluations(e)
}
BASE_FILES = [
    f"{R}/bases/{base}/seed{seed}/importance.csv" for base in C.experiments for seed in C.seeds
]


def slice_of(stage):
    """Function of the wildcards that gives the stage's slice of the config, as canonical JSON."""
    slices = {
        "data": lambda w: PLAN.data(w.data),
        "pretrain": lambda w: PLAN.pretrain(w.base, int(w.seed)),
        "profile": lambda w: PLAN.profile(w.base, int(w.seed)),
        "project": lambda w: PLAN.project(experiment(w)),
        "finetune": lambda w: PLAN.finetune(experiment(w)),
        "attack": lambda w: PLAN.attack(experiment(w), w.evaluation),
        "diagnose": lambda w: PLAN.diagnose(experiment(w)),
        "describe": lambda w: PLAN.describe(experiment(w)),
        "sweep": lambda w: PLAN.sweep(),
        "collect": lambda w: {},
        "suites": lambda w: {},
        "accuracy": lambda w: PLAN.accuracy(),
        "main": lambda w: PLAN.main(),
        "claims": lambda w: PLAN.claims_slice(),
        "figure": lambda w: PLAN.figure(w.figure),
        "overhead": lambda w: PLAN.overhead(),
    }
    return slices[stage]


def cfg(stage):
    """The single parameter of a rule."""
    return lambda wildcards: canonical(slice_of(stage)(wildcards))


def sources(stage):
    """The source files that a rule depends on, compared by checksum."""
    return lambda wildcards: code(stage, slice_of(stage)(wildcards))


def named(inputs, *names):
    """Some of a job's inputs, where it has them, as NAME=FILE words."""
    return pairs({name: file for name, file in inputs.items() if name in names})


def pairs(files):
    """Named files as NAME=FILE words of a stage's command line."""
    return " ".join(f"{name}={file}" for name, file in files.items())
