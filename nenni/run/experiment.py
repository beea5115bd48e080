"""What a config's experiments and suites stand for."""

from dataclasses import dataclass

from nenni.run.config import Config, Diagnose, Evaluation


@dataclass(frozen=True, order=True)
class Experiment:
    """One base x defence x seed."""

    base: str
    defence: str
    seed: int

    @property
    def key(self) -> str:
        """Name of the experiment in the inputs of a stage."""
        return f"{self.base}/{self.defence}/{self.seed}"

    @property
    def folder(self) -> str:
        """Folder of the experiment below ``experiments/``."""
        return f"{self.base}/{self.defence}/seed{self.seed}"

    def covered_by(self, part: Evaluation | Diagnose) -> bool:
        """Whether a part of the config is about it."""
        return (
            self.base in part.eps
            and (part.defences is None or self.defence in part.defences)
            and (part.seeds is None or self.seed in part.seeds)
        )


def evaluations_of(config: Config, suite: str) -> dict[str, Evaluation]:
    """The evaluations that a suite of the config stands for, one per attack: SUITE_ATTACK."""
    s = config.suites[suite]
    shared = s.model_dump(include={"batch_size", "draws", "defences", "seeds"})
    return {
        f"{suite}_{attack}": Evaluation(
            attack=attack,
            eps={base: [radii[config.attacks[attack]["norm"]]] for base, radii in s.eps.items()},
            examples=s.subsets.get(attack, s.examples),
            **shared,
        )
        for attack in s.attacks
    }
