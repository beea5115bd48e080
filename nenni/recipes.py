"""A recipe and its attack from the config, with eps turned into units of the [0, 1] input."""

from typing import Any

from nenni.attack_choice import AttackChoice
from nenni.protocols import Attack
from nenni.training import Recipe


def read_recipe(config: dict[str, Any]) -> tuple[Recipe, Attack | None]:
    """Recipe and training attack of a ``recipe`` slice."""
    rest = {key: value for key, value in config.items() if key not in ("attack", "eps")}
    if config["attack"] is None:
        return Recipe(**rest), None
    attack = AttackChoice.from_config(config["attack"])
    return Recipe(**rest, eps=attack.radius(config["eps"])), attack
