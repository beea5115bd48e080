"""What a config asks for: which experiments there are, and which files each job reads."""

from pathlib import Path

from nenni.adversary.attack_config import injected_only
from nenni.core import plugins
from nenni.run.config import Config
from nenni.run.experiment import Experiment, all_evaluations, evaluations_of
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
    "diagnostics": "diagnose/checks.csv",
    "diagnostic_curves": "diagnose/curves.csv",
}
"""Table of a run -> file of each experiment that is collected into it."""
OF_BASES = {"sensitivities": "sensitivities.csv"}
"""Table of a run -> file of each base that is collected into it."""

SUMMED_UP = ("accuracy", "paired", "main", "claims", "sweep")
"""Tables of a run that are made of its others, or of one network."""


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

    def experiments(self) -> list[Experiment]:
        """All experiments, in the order of the config."""
        c = self.config
        return [
            Experiment(base, defence, seed)
            for base, defences in c.experiments.items()
            for defence in defences
            for seed in c.seeds
        ]

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
        return [*collected, *OF_BASES, *SUMMED_UP, *of_suites]

    def finetuned_experiments(self) -> list[Experiment]:
        """The experiments that are trained on."""
        return [e for e in self.experiments() if self.config.defences[e.defence].finetune]

    def bases(self) -> list[tuple[str, int]]:
        """All (base, seed), with the sources of transfer attacks."""
        c = self.config
        found = [(base, seed) for base in c.experiments for seed in c.seeds]
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
            and (
                self.injected(experiment.defence)
                or not injected_only(self.config.attacks[e.attack])
            )
        ]

    def suite_inputs(self) -> dict[str, tuple[Experiment, str]]:
        """What the table of suites is made of: EXPERIMENT/SUITE/ATTACK -> evaluation."""
        return {
            f"{e.key}/{suite}/{self.all_evaluations[name].attack}": (e, name)
            for e in self.experiments()
            for wanted in [set(self.evaluations(e))]
            for suite in self.config.suites
            for name in evaluations_of(self.config, suite)
            if name in wanted
        }

    def figure_needs(self, figure: str) -> list[str]:
        """Tables that a figure draws: the positional parameters of its function."""
        needed = plugins.needs("figure", self.config.figures[figure]["name"])
        return [table for table in needed if table != "tables"]

    def injected(self, defence: str) -> bool:
        """Whether a defence injects noise."""
        return self.config.defences[defence].injection is not None

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
        file = "best" if self.config.bases[base].keep == "best" else "weights"
        return self.layout.base(f"{file}.safetensors", self._trained(base), seed)

    def undefended_weights(self, e: Experiment) -> str:
        """Weights before fine-tuning: injected and fitted, or the base's."""
        if self.plan.injected(e.defence):
            return self.layout.experiment("fitted.safetensors", e)
        return self.base_weights(e.base, e.seed)

    def final_weights(self, e: Experiment) -> str:
        """Weights of the network that is judged."""
        if self.config.defences[e.defence].finetune is not None:
            return self.layout.experiment("finetuned.safetensors", e)
        return self.undefended_weights(e)

    def raw(self, data: str) -> list[str]:
        """Files that a dataset is decoded from, of those that its config names."""
        return plugins.files("data", self.config.data[data].data)

    def initial_weights(self, base: str) -> str | None:
        """File of other people's weights that a base starts from."""
        weights = self.config.bases[base].weights
        return None if weights is None or ":" in weights else weights

    def missing(self) -> list[str]:
        """One message for each file that the config names and that is not there."""
        named = [(f"data.{name}.data", f) for name in self.config.data for f in self.raw(name)]
        weights = {f"bases.{b}.weights": self.initial_weights(b) for b in self.config.bases}
        named += [(key, file) for key, file in weights.items() if file is not None]
        return [
            f"{key}: there is no file {file}; a relative path starts where the workflow is run"
            for key, file in named
            if not Path(file).is_file()
        ]

    def _trained(self, base: str) -> str:
        """The first base of the config that differs from this one in its epoch at most."""
        alike = {"keep": "last"}
        wanted = self.config.bases[base].model_copy(update=alike)
        bases = self.config.bases.items()
        return next(name for name, b in bases if b.model_copy(update=alike) == wanted)
