"""What a config asks for: which experiments there are, and which files each job reads."""

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nenni.adversary.attack_config import injected_only
from nenni.core import plugins
from nenni.networks.architecture import TORCHVISION, is_missing, lacks
from nenni.run.config import Config
from nenni.run.experiment import Experiment, all_evaluations, evaluations_of, seeds_of
from nenni.run.layout import Layout

COLLECTED = {
    "fit": "fit.csv",
    "errors": "errors.csv",
    "operations": "cost/operations.csv",
    "reductions": "cost/reductions.csv",
    "latency": "cost/latency.csv",
    "energy": "cost/energy.csv",
    "crossovers": "cost/crossovers.csv",
    "speedups": "cost/speedups.csv",
    "rooflines": "cost/rooflines.csv",
    "traffic": "cost/traffic.csv",
    "verdicts": "cost/verdicts.csv",
    "diagnostics": "diagnose/checks.csv",
    "diagnostic_curves": "diagnose/curves.csv",
}
"""Table of a run -> file of each experiment that is collected into it."""
OF_BASES = {"sensitivities": "sensitivities.csv", "histories": "history.csv"}
"""Table of a run -> file of each base that is collected into it."""

SUMMED_UP = ("accuracy", "paired", "main", "comparison", "claims", "sweep")
"""Tables of a run that are made of its others, or of one network."""
FROM_CONFIG = ("tables", "settings")
"""What a figure may ask for beside tables: the config of the main table, and of its defences."""


class Plan:
    """The experiments of a run.

    Parameters
    ----------
    config : Config
        A checked config.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.all_evaluations = all_evaluations(config)
        attacks = config.attacks.items()
        self._of_injected = {name for name, attack in attacks if injected_only(attack)}

    def experiments(self) -> list[Experiment]:
        """All experiments, in the order of the config."""
        return [
            Experiment(base, defence, seed)
            for base, defences in self.config.experiments.items()
            for defence in defences
            for seed in seeds_of(self.config, base, defence)
        ]

    def judged_bases(self) -> list[tuple[str, int]]:
        """All (base, seed) that have an experiment."""
        return list(dict.fromkeys((e.base, e.seed) for e in self.experiments()))

    def experiments_with(self, table: str) -> list[Experiment]:
        """The experiments that a collected table has rows of."""
        if table in ("diagnostics", "diagnostic_curves"):
            settings = self.config.diagnose
            return [e for e in self.experiments() if settings and e.covered_by(settings)]
        injected_alone = table in ("fit", "errors")
        return [e for e in self.experiments() if not injected_alone or self.injected(e.defence)]

    def tables(self) -> list[str]:
        """The tables of the run."""
        collected = [table for table in COLLECTED if self.experiments_with(table)]
        of_suites = ["suites", "persistence"] if self.suite_inputs() else []
        of_controls = ["controls"] if self.config.tables.controls else []
        return [*collected, *OF_BASES, *SUMMED_UP, *of_suites, *of_controls]

    def finetuned_experiments(self) -> list[Experiment]:
        """The experiments that are trained on."""
        return [e for e in self.experiments() if self.config.defences[e.defence].finetune]

    def bases(self) -> list[tuple[str, int]]:
        """All (base, seed), with the sources of transfer attacks."""
        c, found = self.config, self.judged_bases()
        sources = [e.source for e in c.evaluations.values()]
        sources += [c.diagnose.source] if c.diagnose else []
        found += [(source.base, source.seed) for source in sources if source]
        return list(dict.fromkeys(found))

    def evaluations(self, experiment: Experiment) -> list[str]:
        """Names of the evaluations of an experiment, those of suites among them.

        Attacks on injected networks are left out where nothing is injected.
        """
        return [
            name
            for name, e in self.all_evaluations.items()
            if experiment.covered_by(e)
            and (self.injected(experiment.defence) or e.attack not in self._of_injected)
        ]

    def suite_inputs(self) -> dict[str, tuple[Experiment, str]]:
        """What the table of suites is made of: EXPERIMENT/SUITE/ATTACK -> evaluation."""
        members = {suite: evaluations_of(self.config, suite) for suite in self.config.suites}
        done = {e: self.evaluations(e) for e in self.experiments()}
        return {
            f"{e.key}/{suite}/{evaluation.attack}": (e, name)
            for e, names in done.items()
            for suite, evaluations in members.items()
            for name, evaluation in evaluations.items()
            if name in names
        }

    def figure_needs(self, figure: str) -> list[str]:
        """Tables that a figure draws: the positional parameters of its function."""
        needed = plugins.needs("figure", self.config.figures[figure]["name"])
        return [table for table in needed if table not in FROM_CONFIG]

    def rows(self, table: str) -> list[dict[str, str]]:
        """What a table has rows of, by the names that a figure may ask for."""
        if table in OF_BASES:
            return [{"base": base} for base in self.config.experiments]
        if table == "controls":
            there = self.config.experiments.items()
            return [
                {"base": base, "defence": method}
                for method, controls in self.config.tables.controls.items()
                for base, defences in there
                if method in defences and {*controls} & {*defences}
            ]
        if table in ("suites", "persistence"):
            keys = (key.split("/") for key in self.suite_inputs())
            return [{"base": b, "defence": d, "suite": suite} for b, d, _, suite, _ in keys]
        experiments = self.experiments_with(table)
        if table in ("accuracy", "paired"):
            return [
                {"base": e.base, "defence": e.defence, "evaluation": name}
                for e in experiments
                for name in self.evaluations(e)
            ]
        alone = table in ("speedups", "crossovers")
        named = [e for e in experiments if not alone or self.injected(e.defence)]
        return [{"base": e.base, "defence": e.defence} for e in named]

    def injected(self, defence: str) -> bool:
        """Whether a defence injects noise."""
        return self.config.defences[defence].injection is not None

    def has_baseline(self, defence: str) -> bool:
        """Whether a defence puts a baseline's layers into the base."""
        return self.config.defences[defence].baseline is not None

    def allocates(self, defence: str) -> bool:
        """Whether a defence spends a budget over the layers."""
        change = self.config.defences[defence].injection
        return change is not None and change.get("allocate", False)


class Files:
    """Which files the jobs of a run read, where the config decides it.

    Parameters
    ----------
    plan : Plan
        Of the run.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.config = plan, plan.config
        self.layout = Layout(plan.config.run)

    def data(self, base: str) -> str:
        """Data file of a base."""
        return self.layout.data(self.config.bases[base].data)

    def base_weights(self, base: str, seed: int | str) -> str:
        """Weights of a base; those that differ in the epoch alone come from one training."""
        keep = self.config.bases[base].keep
        file = "weights" if keep == "last" else keep
        return self.layout.base(f"{file}.safetensors", self._trained(base), seed)

    def undefended_weights(self, e: Experiment) -> str:
        """Weights before fine-tuning: injected and fitted, with a baseline, or the base's."""
        if self.plan.injected(e.defence):
            return self.layout.experiment("fitted.safetensors", e)
        if self.plan.has_baseline(e.defence):
            return self.layout.experiment("defended.safetensors", e)
        return self.base_weights(e.base, e.seed)

    def noisy_weights(self, e: Experiment) -> str:
        """Weights of the network whose noise a defence switches off."""
        noisy = self.config.defences[e.defence].without_noise
        assert noisy is not None
        return self.final_weights(replace(e, defence=noisy))

    def final_weights(self, e: Experiment) -> str:
        """Weights of the network that is judged."""
        if self.config.defences[e.defence].without_noise is not None:
            return self.layout.experiment("without_noise.safetensors", e)
        if self.config.defences[e.defence].finetune is not None:
            return self.layout.experiment("finetuned.safetensors", e)
        return self.undefended_weights(e)

    def of_base(self, table: str, base: str, seed: int) -> str:
        """File of a base that is collected into a table; of one training where bases share it."""
        trained = self._trained(base) if table == "histories" else base
        return self.layout.base(OF_BASES[table], trained, seed)

    def raw(self, data: str) -> list[str]:
        """Files that a dataset is decoded from, of those that its config names."""
        return plugins.files("data", self.config.data[data].data)

    def given_weights(self, base: str) -> str | None:
        """File of other people's weights that a base starts from."""
        weights = self.config.bases[base].weights
        return None if weights is None or weights.startswith(TORCHVISION) else weights

    def missing(self) -> list[str]:
        """One message for each file, folder and module that the config names and is not there.

        A folder whose images are decoded may be gone.
        """
        config = self.config
        files = [(f"data.{name}.data", file) for name in config.data for file in self.raw(name)]
        weights = {f"bases.{b}.weights": self.given_weights(b) for b in config.bases}
        files += [(key, file) for key, file in weights.items() if file is not None]
        found = [(key, "file", file) for key, file in files if not _is(stat.S_ISREG, file)]
        found += [
            (f"data.{name}.data", "folder", folder)
            for name, data in config.data.items()
            if not _is(stat.S_ISREG, self.layout.data(name))
            for folder in plugins.files("data", data.data, "Folder")
            if not _is(stat.S_ISDIR, folder)
        ]
        own = {n: m["function"] for n, m in config.models.items() if m["name"] == "function"}
        found += [(f"models.{n}.name", "module of", f) for n, f in own.items() if is_missing(f)]
        found += [(f"models.{n}.name", "function of", f) for n, f in own.items() if lacks(f)]
        return [
            f"{key}: there is no {what} {name}; a relative path starts where the workflow is run"
            for key, what, name in found
        ]

    def _trained(self, base: str) -> str:
        """The first base of the config that differs from this one in its epoch at most."""
        alike = {"keep": "last"}
        wanted = self.config.bases[base].model_copy(update=alike)
        bases = self.config.bases.items()
        return next(name for name, b in bases if b.model_copy(update=alike) == wanted)


def _is(kind: Callable[[int], bool], path: str) -> bool:
    """Whether there is something of a kind at a path, as far as one may look."""
    try:
        return kind(Path(path).stat().st_mode)
    except OSError:
        return False
