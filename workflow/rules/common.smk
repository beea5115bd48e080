# Reads the config and turns it into what the rules ask for. No rule stands here.
import atexit
import shlex
import sys
from contextlib import suppress
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

import hwmodel
import nenni
from nenni.run.config_file import load_claims, load_config, with_types
from nenni.core.errors import UserError, unnameable
from nenni.run.experiment import Experiment
from nenni.cli import fork_server
from nenni.run import locks
from nenni.run.plan import COLLECTED, OF_BASES, Files, Plan
from nenni.run.provenance import relative, stage_files
from nenni.run.slices import Slices, canonical

if {"{", "}"} & set(str(Path.cwd())):
    raise WorkflowError(f"{Path.cwd()}: Snakemake takes braces for wildcards; rename the folder")

CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
if not CONDA:
    PYTHON_FOLDER = str(Path(sys.executable).parent)
    if ":" in PYTHON_FOLDER:
        raise WorkflowError(
            f"{PYTHON_FOLDER}: PATH holds no folder with a colon; move the environment"
        )
    shell.prefix(f"PATH={shlex.quote(PYTHON_FOLDER)}:$PATH; ")

CONFIG_FOLDER = Path(workflow.basedir).parent / "config"


def read_plan():
    """Plan and slices of the config that was asked for: --configfile, or the default."""
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
    claims = load_claims(CONFIG_FOLDER / "claims.yaml")
    plan = Plan(config)
    if missing := Files(plan).missing():
        raise UserError("\n".join(f"{file}: {message}" for message in missing))
    return plan, Slices(config, claims)


try:
    PLAN, SLICES = read_plan()
except UserError as error:
    raise WorkflowError(str(error)) from None
except UnicodeEncodeError as error:
    raise WorkflowError(unnameable(error)) from None

NOTE = None
if workflow.is_main_process and not workflow.output_settings.dryrun:
    NOTE, TOLD = locks.begin(Path(".snakemake"))
    for line in TOLD:
        logger.warning(line)


def tell_locks():
    """Note which lock files are this run's: Snakemake has just written them."""
    files = getattr(workflow.persistence, "_lockfile", None)  # none where a database holds them
    if NOTE and files:
        NOTE.tell_locks([Path(file) for file in files.values()], elsewhere=workflow.non_local_exec)


def spare_this_machine():
    """Let jobs that run here, by this Python, share their imports, and start without a rate.

    With a limit of jobs per second, which is for clusters, Snakemake looks at all jobs once a second
    more for each job that has ended: after 200, as much as a core does.
    """
    if workflow.non_local_exec or not workflow.is_main_process:
        return
    workflow.scheduler.job_rate_limiter = None
    if not CONDA and sys.platform == "linux":
        with suppress(OSError):  # without a folder for it, each imports by itself
            atexit.register(fork_server.Server(C.threads, C.instruction_set).close)


FILES = Files(PLAN)
L = FILES.layout
C = PLAN.config


wildcard_constraints:
    data="[a-z0-9_]+",
    base="[a-z0-9_]+",
    defence="[a-z0-9_]+",
    evaluation="[a-z0-9_]+",
    figure="[a-z0-9_]+",
    table="|".join([*COLLECTED, *OF_BASES]),
    seed="[0-9]+",


def experiment(wildcards):
    """The experiment that a job's wildcards name."""
    return Experiment(wildcards.base, wildcards.defence, int(wildcards.seed))


def profile_inputs(wildcards):
    """What the profile tells a defence that allocates a budget."""
    if not PLAN.allocates(wildcards.defence):
        return {}
    return {"distribution": L.base("distribution.csv", wildcards.base, wildcards.seed)}


def source_input(wildcards):
    """The independently trained network of a transfer attack."""
    return source_weights(PLAN.all_evaluations[wildcards.evaluation].source)


def diagnose_source(wildcards):
    """The same for the diagnostics."""
    return source_weights(C.diagnose.source)


def source_weights(source):
    """Weights of a source, as a named input."""
    return {"source": FILES.base_weights(source.base, source.seed)} if source else {}


def hardware_sources():
    """Source files of the cost model, and the tables of constants that the config names."""
    folder = Path(hwmodel.__file__).parent
    files = [*folder.rglob("*.py"), *(folder / "presets" / f"{name}.toml" for name in C.presets)]
    files.append(folder / "energy_tables" / f"{C.energy_table}.toml")
    return sorted(map(relative, files))


def all_hardware_sources():
    """Source files of the cost model, and all its tables of constants, which cards count with."""
    folder = Path(hwmodel.__file__).parent
    return sorted(map(relative, [*folder.rglob("*.py"), *folder.glob("*/*.toml")]))


def collected(wildcards):
    """What a table is joined from: name of the experiment or base -> its file."""
    if wildcards.table in OF_BASES:
        bases = PLAN.judged_bases()
        return {f"{b}/seed{s}": FILES.of_base(wildcards.table, b, s) for b, s in bases}
    file = COLLECTED[wildcards.table]
    return {e.key: L.experiment(file, e) for e in PLAN.experiments_with(wildcards.table)}


def table_files():
    """All tables of the run."""
    return [L.table(name) for name in PLAN.tables()]


def figure_files():
    """All figures of the run."""
    return [L.figure(kind, name) for name in C.figures for kind in ("pdf", "png")]


def template_files():
    """What the page of a run is made of beside its code."""
    folder = Path(nenni.__file__).parent / "results" / "page" / "templates"
    return sorted(relative(file) for file in folder.glob("*.*"))


ATTACKED = {
    f"{e.key}/{evaluation}": L.attack("csv", e, evaluation)
    for e in PLAN.experiments()
    for evaluation in PLAN.evaluations(e)
}
SUITES = PLAN.suite_inputs()
BASE_FILES = [L.base("importance.csv", base, seed) for base, seed in PLAN.judged_bases()]
OF_EXPERIMENT = ("{base}", "{defence}", "seed{seed}")


def cfg(stage):
    """The single parameter of a rule: the job's slice of the config, as canonical JSON."""
    return lambda wildcards: canonical(SLICES.of(stage, **dict(wildcards.items())))


def sources(stage):
    """The source files that a rule depends on, compared by checksum."""
    return lambda w: sorted(map(relative, stage_files(stage, SLICES.of(stage, **dict(w.items())))))


def named(inputs, *names):
    """Some of a job's inputs, where it has them, as NAME=FILE words."""
    return pairs({name: file for name, file in inputs.items() if name in names})


def pairs(files):
    """Named files as NAME=FILE words of a stage's command line."""
    return " ".join(f"{name}={file}" for name, file in files.items())


def comparison_inputs():
    """What the comparison is made of."""
    tables = ["main", "crossovers", "energy"] + ["suites"] * ("suites" in PLAN.tables())
    return {name: L.table(name) for name in tables}
