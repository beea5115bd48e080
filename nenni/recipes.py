"""A recipe and its attack from the config, with eps turned from 1/255 to the [0, 1] scale."""

from functools import partial
from typing import Any

from nenni import plugins
from nenni.protocols import Attack
from nenni.training import Recipe


def read_recipe(config: dict[str, Any]) -> tuple[Recipe, Attack | None]:
    """Recipe and training attack of a ``recipe`` slice."""
    rest = {key: value for key, value in config.items() if key not in ("attack", "eps")}
    recipe = Recipe(**rest, eps=config["eps"] / 255)
    if config["attack"] is None:
        return recipe, None
    attack = plugins.load("attack", config["attack"]["name"])
    return recipe, partial(attack, **plugins.arguments(config["attack"]))
