"""The slice of the config of each job: what its stage reads and nothing else.

It is the stage's only parameter, so a change re-runs exactly the jobs whose slice contains it.
"""

from typing import Any

from nenni.core import plugins
from nenni.evaluation.battery_attacks import ATTACKS
from nenni.run.config import Claims, Config, Source
from nenni.run.experiment import Experiment, evaluations_of


class Slices:
    """A config, seen as slices.

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

    def data(self, name: str) -> dict[str, Any]:
        """Slice of the stage ``data``."""
        return self.config.data[name].model_dump()

    def pretrain(self, base: str, seed: int) -> dict[str, Any]:
        """Slice of the stage ``pretrain``."""
        return {
            **self._common(base, seed),
            "processes": self.config.processes,
            "recipe": self._recipe(base),
            "weights": self.config.bases[base].weights,
        }

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
            "processes": self.config.processes,
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

    def _recipe(self, base: str) -> dict[str, Any] | None:
        name = self.config.bases[base].recipe
        if name is None:
            return None
        recipe = self.config.recipes[name]
        attack = self.config.attacks[recipe.attack] if recipe.attack is not None else None
        return {**recipe.model_dump(), "attack": attack}

    def _injection(self, defence: str) -> dict[str, Any] | None:
        change = self.config.defences[defence].injection
        if change is None:
            return None
        shared = self.config.injection.model_dump(exclude_none=True)
        return {**shared, **change.model_dump(exclude_none=True)}
