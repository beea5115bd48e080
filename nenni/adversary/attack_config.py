"""An attack in a config: a plugin, and the surrogate that it differentiates, if any.

Read by the config and the workflow's plan, which do without torch.
"""

import ast
from typing import Any

from pydantic_core import PydanticCustomError

from nenni.core import plugins


def validate(value: Any) -> dict[str, Any]:
    """Check an attack's config and fill in the defaults.

    Raises
    ------
    PydanticCustomError
        As :func:`nenni.core.plugins.validate`.
    """
    surrogate = value.get("surrogate") if isinstance(value, dict) else None
    if surrogate is None:
        return plugins.validate("attack", value)
    checked = plugins.validate("attack", {k: v for k, v in value.items() if k != "surrogate"})
    try:
        return checked | {"surrogate": plugins.validate("surrogate", surrogate)}
    except PydanticCustomError as error:
        found = (error.context or {})["problems"]
        raise plugins.refusal([(("surrogate", *loc), what) for loc, what in found]) from None


def injected_only(attack: dict[str, Any]) -> bool:
    """Whether an attack is one on injected networks: by its surrogate, or by its own nature.

    The latter is a line ``INJECTED_ONLY = True`` in its file.
    """
    if attack.get("surrogate") is not None:
        return True
    tree = ast.parse(plugins.path("attack", attack["name"]).read_text())
    return any(
        isinstance(node, ast.Assign) and ast.unparse(node) == "INJECTED_ONLY = True"
        for node in tree.body
    )
