"""What a config asks for: the experiments of a run, and the slice of the config of each job.

A slice holds what its stage reads and nothing else: it is the stage's only parameter, so a change
re-runs exactly the jobs whose slice contains it.
"""

import json
from pathlib import Path
from typing import Any

from nenni import plugins, provenance
from nenni.attack_config import injected_only
from nenni.battery_attacks import ATTACKS
from nenni.config import Claims, Config, Source
from nenni.experiment import Experiment, evaluations_of

COLLECTED = {
    "fit": "fit.csv",
    "errors": "errors.csv",
    "operations": "cost/operations.csv",
    "reductions": "cost/reductions.csv",
    "latency": "cost/latency.csv",
    "diagnostics": "diagnose/checks.csv",
    "diagnostic_curves": "diagnose/curves.csv",
}
"""Table of a run -> file of each experiment that is collected into it."""


class Plan:
    """A config, seen as experiments and slices.

    Parameters
    ----------
    config : Config
        A checked config.
    claims : Claims
        The paper's claims.
    """

    def __init__(self, config: Config, claims: Claims) -> None:
        self.config = config
        self.claims = claims
        self.all_evaluations = config.evaluations | {
            name: evaluation
            for suite in config.suites
            for name, evaluation in evaluations_of(config, suite).items()
        }

    @property
    def results(self) -> str:
        """Folder of the run."""
        return f"results/{self.config.run}"

    def experiments(self) -> list[Experiment]:
        """All experiments, in the order of the config."""
        c = self.config
        return [
            Experiment(base, defence, seed)
            for base, defences in c.experiments.items()
            for defence in defences
            for seed in c.seeds
        ]

    def finetuned_experiments(self) -> list[Experiment]:
        """The experiments that are trained on."""
        return [
            e for e in self.experiments() if self.config.defences[e.defence].finetune is not None
        ]

    def bases(self) -> list[tuple[str, int]]:
        """All (base, seed) to train, with the sources of transfer attacks."""
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
        """What the table of suites is made of: BASE/DEFENCE/SEED/SUITE/ATTACK -> evaluation."""
        return {
            f"{e.key}/{suite}/{self.all_evaluations[name].attack}": (e, name)
            for e in self.experiments()
            for suite in self.config.suites
            for name in evaluations_of(self.config, suite)
            if name in self.evaluations(e)
        }

    def diagnosed(self) -> list[Experiment]:
        """The experiments that are looked at for masked gradients."""
        settings = self.config.diagnose
        return [e for e in self.experiments() if settings and e.covered_by(settings)]

    def injected(self, defence: str) -> bool:
        """Whether a defence injects noise."""
        return self.config.defences[defence].injection is not None

    def allocates(self, defence: str) -> bool:
        """Whether a defence spends a budget over the layers."""
        change = self.config.defences[defence].injection
        return change is not None and change.allocate

    def data_of(self, base: str) -> str:
        """Data file of a base."""
        return f"{self.results}/data/{self.config.bases[base].data}.safetensors"

    def base_weights(self, base: str, seed: int) -> str:
        """Weights of a trained base."""
        return f"{self.results}/bases/{base}/seed{seed}/weights.safetensors"

    def undefended_weights(self, e: Experiment) -> str:
        """Weights before fine-tuning: injected and fitted, or the base's."""
        if self.injected(e.defence):
            return f"{self.results}/experiments/{e.folder}/fitted.safetensors"
        return self.base_weights(e.base, e.seed)

    def final_weights(self, e: Experiment) -> str:
        """Weights of the network that is judged."""
        if self.config.defences[e.defence].finetune is not None:
            return f"{self.results}/experiments/{e.folder}/finetuned.safetensors"
        return self.undefended_weights(e)

    def data(self, name: str) -> dict[str, Any]:
        """Slice of the stage ``data``."""
        return self.config.data[name].model_dump()

    def pretrain(self, base: str, seed: int) -> dict[str, Any]:
        """Slice of the stage ``pretrain``."""
        return {**self._common(base, seed), "recipe": self._recipe(base)}

    def profile(self, base: str, seed: int) -> dict[str, Any]:
        """Slice of the stage ``profile``."""
        c = self.config
        return {
            **self._common(base, seed),
            "profile": c.profile.model_dump(),
            "min_inputs": c.injection.min_inputs,
            "layers": c.injection.layers,
        }

    def project(self, e: Experiment) -> dict[str, Any]:
        """Slice of the stage ``project``."""
        return {
            **self._common(e.base, e.seed),
            "injection": self._injection(e.defence),
            "fit": self.config.fit.model_dump(),
        }

    def finetune(self, e: Experiment) -> dict[str, Any]:
        """Slice of the stage ``finetune``."""
        name = self.config.defences[e.defence].finetune
        assert name is not None
        return {
            **self._common(e.base, e.seed),
            "injection": self._injection(e.defence),
            "recipe": self._recipe(e.base),
            "finetune": self.config.finetunes[name].model_dump(),
        }

    def attack(self, e: Experiment, evaluation: str) -> dict[str, Any]:
        """Slice of the stage ``attack``."""
        settings = self.all_evaluations[evaluation]
        return {
            **self._common(e.base, e.seed),
            "injection": self._injection(e.defence),
            "evaluation": evaluation,
            "attack": self.config.attacks[settings.attack],
            "eps": settings.eps[e.base],
            "examples": settings.examples,
            "batch_size": settings.batch_size,
            "draws": settings.draws,
            "source": self._source(settings.source),
        }

    def diagnose(self, e: Experiment) -> dict[str, Any]:
        """Slice of the stage ``diagnose``."""
        settings = self.config.diagnose
        assert settings is not None
        return {
            **self._common(e.base, e.seed),
            "injection": self._injection(e.defence),
            "eps": settings.eps[e.base],
            "examples": settings.examples,
            "draws": settings.draws,
            "source": self._source(settings.source),
            "battery": [{"attack": attack} for attack in ATTACKS.values()],  # their code is read
        }

    def describe(self, e: Experiment) -> dict[str, Any]:
        """Slice of the stage ``describe``."""
        return {
            **self._common(e.base, e.seed),
            "injection": self._injection(e.defence),
            "describe": self.config.describe.model_dump(),
        }

    def sweep(self) -> dict[str, Any]:
        """Slice of the stage ``sweep``."""
        c = self.config
        shared = c.injection.model_dump(exclude_none=True)
        selection = {"name": "topk", "fraction": 0.5}
        return {
            **self._common(c.sweep.base, c.sweep.seed),
            "injection": {**shared, "selection": selection},
            "fit": c.fit.model_dump(),
            "attack": c.attacks[c.sweep.attack],
            "sweep": {k: v for k, v in c.sweep.model_dump().items() if k != "attack"},
        }

    def accuracy(self) -> dict[str, Any]:
        """Slice of the stage ``accuracy``."""
        return self.config.tables.model_dump(include={"compare_with", "resamples"})

    def overhead(self) -> dict[str, Any]:
        """Slice of the stage ``overhead``: the defence that is fine-tuned without injection."""
        plain = [
            name
            for name, d in self.config.defences.items()
            if d.finetune is not None and d.injection is None
        ]
        return {"control": plain[0] if plain else None}

    def main(self) -> dict[str, Any]:
        """Slice of the stage ``main``."""
        return self.config.tables.model_dump(include={"clean", "columns", "eps"})

    def figure(self, name: str) -> dict[str, Any]:
        """Slice of the stage ``figure``, with the main table's config where the figure needs it."""
        figure = self.config.figures[name]
        slice_: dict[str, Any] = {"figure": figure}
        if "tables" in plugins.needs("figure", figure["name"]):
            slice_["tables"] = self.main()
        return slice_

    def figure_needs(self, name: str) -> list[str]:
        """Tables that a figure draws: the positional parameters of its function."""
        needed = plugins.needs("figure", self.config.figures[name]["name"])
        return [table for table in needed if table != "tables"]

    def claims_slice(self) -> dict[str, Any]:
        """Slice of the stage ``claims``."""
        c = self.config
        return {
            **self.claims.model_dump(),
            "tables": self.main(),
            "datasets": {base: c.data[c.bases[base].data].data["name"] for base in c.experiments},
        }

    def _common(self, base: str, seed: int) -> dict[str, Any]:
        return {
            "threads": self.config.threads,
            "device": self.config.device,
            "seed": seed,
            "model": self._model(base),
        }

    def _source(self, source: Source | None) -> dict[str, Any] | None:
        if source is None:
            return None
        return {**source.model_dump(), "model": self._model(source.base)}

    def _model(self, base: str) -> dict[str, Any]:
        return self.config.models[self.config.bases[base].model]

    def _recipe(self, base: str) -> dict[str, Any]:
        recipe = self.config.recipes[self.config.bases[base].recipe]
        attack = self.config.attacks[recipe.attack] if recipe.attack is not None else None
        return {**recipe.model_dump(), "attack": attack}

    def _injection(self, defence: str) -> dict[str, Any] | None:
        change = self.config.defences[defence].injection
        if change is None:
            return None
        shared = self.config.injection.model_dump(exclude_none=True)
        return {**shared, **change.model_dump(exclude_none=True)}


def canonical(slice_: dict[str, Any]) -> str:
    """One spelling of a slice: JSON with sorted keys."""
    return json.dumps(slice_, sort_keys=True, separators=(",", ":"), allow_nan=False)


def code(stage: str, slice_: dict[str, Any]) -> list[str]:
    """Source files a stage depends on for a slice, relative to the working directory."""
    here = Path.cwd()
    files = provenance.stage_files(stage, slice_)
    return [str(f.relative_to(here)) if f.is_relative_to(here) else str(f) for f in files]
