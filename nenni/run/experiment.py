"""What a config's experiments and suites stand for."""

from dataclasses import asdict, dataclass

from nenni.run.config import Config, Diagnose, Evaluation


@dataclass(frozen=True, order=True)
class Experiment:
    """One base x defence x seed."""

    base: str
    defence: str
    seed: int

    @property
    def key(self) -> str:
        """Name of the experiment, of its folder, and of the inputs of stages that are its own."""
        return f"{self.base}/{self.defence}/seed{self.seed}"

    @classmethod
    def parse(cls, key: str) -> tuple["Experiment", tuple[str, ...]]:
        """The experiment that a name begins with, and the rest of the name."""
        base, defence, seed, *rest = key.split("/")
        return cls(base, defence, int(seed.removeprefix("seed"))), tuple(rest)

    def covered_by(self, part: Evaluation | Diagnose) -> bool:
        """Whether a part of the config is about it."""
        return (
            self.base in part.eps
            and (part.defences is None or self.defence in part.defences)
            and (part.seeds is None or self.seed in part.seeds)
        )


def where_from(key: str) -> dict[str, str | int]:
    """Columns that say which experiment, or BASE/SEED, a table is of."""
    if key.count("/") == 1:
        base, _, seed = key.partition("/")
        return {"base": base, "seed": int(seed.removeprefix("seed"))}
    return asdict(Experiment.parse(key)[0])


def seeds_of(config: Config, base: str, defence: str) -> list[int]:
    """The run's seeds with which a defence is applied to a base."""
    parts = (config.bases[base].seeds, config.defences[defence].seeds)
    return [s for s in config.seeds if all(some is None or s in some for some in parts)]


def evaluations_of(config: Config, suite: str) -> dict[str, Evaluation]:
    """The evaluations that a suite of the config stands for, one per attack: SUITE_ATTACK."""
    s = config.suites[suite]
    shared = s.model_dump(include={"batch_size", "draws", "tries", "defences", "seeds"})
    return {
        f"{suite}_{attack}": Evaluation(
            attack=attack,
            eps={base: [radii[config.attacks[attack]["norm"]]] for base, radii in s.eps.items()},
            examples=s.subsets.get(attack, s.examples),
            **shared,
        )
        for attack in s.attacks
    }


def all_evaluations(config: Config) -> dict[str, Evaluation]:
    """Those of the config and those of its suites, by name."""
    of_suites = [evaluations_of(config, suite) for suite in config.suites]
    return config.evaluations | {n: e for found in of_suites for n, e in found.items()}
