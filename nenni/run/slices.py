"""The slice of the config of each job: what its stage reads and nothing else.

It is the stage's only parameter, so a change re-runs exactly the jobs whose slice contains it.
Radii leave the config's units here (:mod:`nenni.core.radius`), and nowhere else.
"""

import json
from dataclasses import astuple
from functools import cached_property
from typing import Any

import yaml

from nenni.adversary.suite_attacks import CARD, SUITES
from nenni.core import plugins, radius
from nenni.core.plugins import Ref
from nenni.core.types import Norm
from nenni.evaluation.battery_attacks import ATTACKS
from nenni.run.claim_arms import about_base, plain_with
from nenni.run.claim_trials import Trial, compared, trials
from nenni.run.claims_config import Claims
from nenni.run.config import Config, TransferSource
from nenni.run.experiment import all_evaluations, evaluations_of

Slice = dict[str, Any]
CARD_EXAMPLES = 60
"""Test images of the cards of a run."""


class Slices:
    """A config, seen as slices: one method per stage, named as it, of its job's wildcards.

    Parameters
    ----------
    config : Config
        A checked config.
    claims : Claims
        The paper's claims.
    """

    def __init__(self, config: Config, claims: Claims) -> None:
        self._config, self._claims = config, claims
        self._evaluations = all_evaluations(config)

    def of(self, stage: str, **wildcards: str) -> Slice:
        """Slice of a job, with the folders of one's own that its plugins are from."""
        found: Slice = getattr(self, stage)(**wildcards)
        named = {plugins.folder_of(kind, ref["name"]) for kind, ref in plugins.refs(found)}
        folders = sorted(str(folder) for folder in named if folder is not None)
        return {**found, "plugins": folders} if folders else found

    def data(self, data: str) -> Slice:
        """Decode a dataset."""
        return self._config.data[data].model_dump()

    def pretrain(self, base: str, seed: str) -> Slice:
        """Train a base."""
        return {
            **self._network(base, seed),
            "processes": self._config.processes,
            "recipe": self._recipe(self._config.bases[base].recipe),
            "weights": self._config.bases[base].weights,
        }

    def profile(self, base: str, seed: str) -> Slice:
        """Profile a base."""
        shared = self._config.injection
        return {
            **self._network(base, seed),
            "profile": self._config.profile.model_dump(),
            "min_inputs": shared["min_inputs"],
            "layers": shared["layers"],
        }

    def project(self, base: str, defence: str, seed: str) -> Slice:
        """Inject and fit."""
        change = self._config.defences[defence].injection or {}
        return {
            **self._network(base, seed),
            **self._defended(defence),
            "allocate": change.get("allocate", False),
            "order_channels": change.get("order_channels", False),
            **self._fit(base),
        }

    def defend(self, base: str, defence: str, seed: str) -> Slice:
        """Put a baseline in place, calibrated on one batch of the fit's images."""
        fit = self._config.fit
        images = min(fit["examples"], fit["batch_size"])
        return {**self._network(base, seed), **self._defended(defence), "images": images}

    def without_noise(self, base: str, defence: str, seed: str) -> Slice:
        """Switch the noise of a baseline off."""
        return {**self._network(base, seed), **self._defended(defence)}

    def finetune(self, base: str, defence: str, seed: str) -> Slice:
        """Train a defended network on."""
        name = self._config.defences[defence].finetune
        assert name is not None
        tuning = self._config.finetunes[name].model_dump()
        recipe, attack = tuning.pop("recipe"), tuning.pop("attack")
        return {
            **self._network(base, seed),
            **self._defended(defence),
            "processes": self._config.processes,
            "recipe": self._recipe(recipe or self._config.bases[base].recipe, attack),
            "finetune": tuning,
        }

    def attack(self, base: str, defence: str, seed: str, evaluation: str) -> Slice:
        """Attack the final network."""
        settings = self._evaluations[evaluation]
        attack = self._config.attacks[settings.attack]
        return {
            **self._network(base, seed),
            **self._defended(defence),
            "evaluation": evaluation,
            "attack": attack,
            "eps": [radius.from_config(eps, attack["norm"]) for eps in settings.eps[base]],
            "examples": settings.examples,
            "batch_size": settings.batch_size,
            "draws": settings.draws,
            "tries": settings.tries,
            "source": self._source(settings.source),
        }

    def diagnose(self, base: str, defence: str, seed: str) -> Slice:
        """Look for masked gradients."""
        settings = self._config.diagnose
        assert settings is not None
        return {
            **self._network(base, seed),
            **self._defended(defence),
            "eps": radius.from_config(settings.eps[base], "linf"),
            "examples": settings.examples,
            "draws": settings.draws,
            "source": self._source(settings.source),
            "battery": [{"attack": attack} for attack in ATTACKS.values()],  # their code is read
        }

    def card(self, base: str, defence: str, seed: str) -> Slice:
        """Make the card of the final network, at the radius of the main table."""
        norm = self.norm_of_columns()
        made = [*ATTACKS.values(), *SUITES[CARD].values()]
        return {
            **self._network(base, seed),
            **self._defended(defence),
            "name": f"{defence} on {base}, seed {seed}",
            "data": self._config.bases[base].data,
            "suite": CARD,
            "norm": norm,
            "eps": radius.from_config(self._config.tables.eps[base], norm),
            "examples": CARD_EXAMPLES,
            "battery": [{"attack": attack} for attack in made],  # their code is read
        }

    def describe(self, base: str, defence: str, seed: str) -> Slice:
        """Describe the final network for the cost model."""
        return {
            **self._network(base, seed),
            **self._defended(defence),
            "describe": self._config.describe.model_dump(),
        }

    def sweep(self) -> Slice:
        """Sweep the noise intensity."""
        c, sweep = self._config, self._config.sweep
        attack = c.attacks[sweep.attack]
        asked = sweep.model_dump(include={"ratios", "fractions", "examples", "batch_size"})
        return {
            **self._network(sweep.base, str(sweep.seed)),
            "injection": {**c.injection, "selection": self._swept()},
            **self._fit(sweep.base),
            "attack": attack,
            "sweep": {
                **asked,
                "name": sweep.attack,
                "eps": radius.from_config(sweep.eps, attack["norm"]),
            },
        }

    def collect(self, table: str) -> Slice:
        """Join the tables of experiments or bases."""
        return {}

    def suites(self) -> Slice:
        """Sum up the suites."""
        return {}

    def accuracy(self) -> Slice:
        """Sum up the flags per example."""
        c = self._config
        suites = {e: suite for suite in c.suites for e in evaluations_of(c, suite)}
        return {
            "pairs": compared(self._trials, c),
            "norms": {n: c.attacks[e.attack]["norm"] for n, e in self._evaluations.items()},
            "suites": suites,
        }

    def overhead(self) -> Slice:
        """Compare times with the defence of the same base and fine-tuning without the method."""
        c = self._config
        controls = {
            base: {
                defence: plain_with(c, base, finetune)
                for defence in defences
                if (finetune := c.defences[defence].finetune) is not None
            }
            for base, defences in c.experiments.items()
        }
        return {"controls": controls}

    def main(self) -> Slice:
        """Make the main table."""
        tables = self._config.tables
        norm = self.norm_of_columns()
        return {
            **tables.model_dump(include={"clean", "columns"}),
            "norm": norm,
            "eps": {base: radius.from_config(eps, norm) for base, eps in tables.eps.items()},
        }

    def comparison(self) -> Slice:
        """Put all that each defence gives and costs into one table."""
        return self._config.tables.model_dump(include={"columns"})

    def controls(self) -> Slice:
        """Put methods beside their controls."""
        return {"controls": self._config.tables.controls, "tables": self.main()}

    def figure(self, figure: str) -> Slice:
        """Draw a figure, with the config of the main table or its defences where it needs that."""
        asked = self._config.figures[figure]
        slice_: Slice = {"figure": asked}
        needed = plugins.needs("figure", asked["name"])
        if "tables" in needed:
            slice_["tables"] = self.main()
        if "settings" in needed:
            slice_["settings"] = {d: self._defended(d)["injection"] for d in asked["defences"]}
        return slice_

    def claims(self) -> Slice:
        """Judge the claims, by where this run has their numbers."""
        read = {
            "text", "source", "datasets", "architectures", "training", "measure", "value", "margin"
        }  # fmt: skip
        return {
            "sources": {n: source.model_dump() for n, source in self._claims.sources.items()},
            "claims": {n: c.model_dump(include=read) for n, c in self._claims.claims.items()},
            "bases": {base: about_base(self._config, base) for base in self._config.experiments},
            "trials": [astuple(trial) for trial in self._trials],
        }

    @cached_property
    def _trials(self) -> list[Trial]:
        return trials(self._claims, self._config)

    def page(self) -> Slice:
        """Show the run on a page, with its whole config."""
        c = self._config
        whole = c.model_dump(mode="json")
        return {
            "run": c.run,
            "config": yaml.safe_dump(whole, sort_keys=False, default_flow_style=None, width=100),
            "device": c.device,
            "seeds": c.seeds,
            "threads": c.threads,
            "bases": {name: self._told(name) for name in c.experiments},
            "defences": {
                name: {
                    **self._defended(name),
                    "allocate": (d.injection or {}).get("allocate", False),
                    "order_channels": (d.injection or {}).get("order_channels", False),
                    "finetune": d.finetune and c.finetunes[d.finetune].model_dump(),
                }
                for name, d in c.defences.items()
            },
            "figures": {name: {"figure": figure} for name, figure in c.figures.items()},
        }

    def norm_of_columns(self) -> Norm:
        """Norm of the attacks whose columns the main table has."""
        first = next(iter(self._config.tables.columns.values()))
        norm: Norm = self._config.attacks[self._evaluations[first].attack]["norm"]
        return norm

    def _swept(self) -> Ref:
        """The sweep's selection, or the first defence's that has a fraction, which is swept."""
        changes = (d.injection for d in self._config.defences.values())
        of_defences = (change["selection"] for change in changes if change is not None)
        selections = (self._config.sweep.selection or {}, *of_defences)
        first: Ref = next(selection for selection in selections if "fraction" in selection)
        return first | {"fraction": 0.5}

    def _network(self, base: str, seed: str) -> Slice:
        return {
            "threads": self._config.threads,
            **self._device(),
            "seed": int(seed),
            "model": self._model(base),
        }

    def _device(self) -> Slice:
        """What :func:`nenni.core.runtime.prepare` asks for; a GPU's settings for a GPU alone."""
        c = self._config
        of_gpu = {"deterministic": c.deterministic, "tf32": c.tf32}
        return {
            "device": c.device,
            "instruction_set": c.instruction_set,
            **(of_gpu if c.device == "cuda" else {}),
        }

    def _source(self, source: TransferSource | None) -> Slice | None:
        if source is None:
            return None
        return {**source.model_dump(), "model": self._model(source.base)}

    def _model(self, base: str) -> Ref:
        return self._config.models[self._config.bases[base].model]

    def _told(self, base: str) -> Slice:
        """What a base is."""
        of = self._config.bases[base]
        return {
            "data": self._config.data[of.data].model_dump(),
            "model": self._model(base),
            "recipe": self._recipe(of.recipe),
            "keep": of.keep,
        }

    def _recipe(self, name: str | None, other_attack: str | None = None) -> Slice | None:
        if name is None:
            return None
        recipe = self._config.recipes[name]
        named = other_attack or recipe["attack"]
        attack = None if named is None else self._config.attacks[named]
        norm: Norm = "linf" if attack is None else attack["norm"]
        chosen = {key: value for key, value in recipe.items() if key != "compile" or value}
        return {**chosen, "attack": attack, "eps": radius.from_config(recipe["eps"], norm)}

    def _fit(self, base: str) -> Slice:
        """The fit, and where it is on attacked images, the recipe that attacks them."""
        fit, recipe = self._config.fit, self._config.bases[base].recipe
        return {"fit": fit, **({"recipe": self._recipe(recipe)} if fit["attacked"] else {})}

    def _defended(self, defence: str) -> Slice:
        """What is put into a network, and the plugin that files of such networks name."""
        asked = self._config.defences[defence]
        if asked.without_noise is not None:
            return {**self._defended(asked.without_noise), "noise": False}
        if asked.baseline is not None:
            named = {"name": "baseline"}
            return {"defence": named, "injection": None, "baseline": asked.baseline}
        change = asked.injection
        if change is None:
            return {"defence": None, "injection": None}
        own = {k: value for k, value in change.items() if k not in ("allocate", "order_channels")}
        return {"defence": {"name": "nenni"}, "injection": {**self._config.injection, **own}}


def canonical(slice_: Slice) -> str:
    """One spelling of a slice: JSON with sorted keys."""
    return json.dumps(slice_, sort_keys=True, separators=(",", ":"), allow_nan=False)
