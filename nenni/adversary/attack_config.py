"""An attack in a config: a plugin, the surrogate that it differentiates, whether it is compiled.

Read by the config and the workflow's plan, which do without torch.
"""

from typing import Any

from pydantic_core import PydanticCustomError

from nenni.core import plugins, settings
from nenni.core.errors import brief
from nenni.core.plugins import Ref

_SURROGATE = "surrogate"
"""The key, and the kind of plugin."""
_COMPILE = "compile"
ONE_DRAW = "one_draw"
"""The surrogate that repeats its draws, over which nothing can be averaged."""
_INJECTED = "nenni.adversary.attack.Injected"


def validate(value: Any) -> Ref:
    """Check an attack's config and fill in the defaults.

    Raises
    ------
    PydanticCustomError
        As :func:`nenni.core.settings.validate`.
    """
    beside = (_SURROGATE, _COMPILE)
    if not isinstance(value, dict):
        return settings.validate("attack", value)
    alone = {key: setting for key, setting in value.items() if key not in beside}
    checked = settings.validate("attack", alone, also=beside)
    if not isinstance(compile_ := value.get(_COMPILE, False), bool):
        raise settings.refusal([((_COMPILE,), f"should be true or false, got {brief(compile_)}")])
    if compile_:
        checked |= {_COMPILE: True}
    if _SURROGATE not in value:
        return checked
    try:
        surrogate = settings.validate(_SURROGATE, value[_SURROGATE])
    except PydanticCustomError as error:
        found = settings.problems_in(error)
        raise settings.refusal([((_SURROGATE, *loc), what) for loc, what in found]) from None
    if surrogate["name"] == ONE_DRAW and checked.get("samples", 1) > 1:
        why = (
            f"averages over draws, and the surrogate {ONE_DRAW} repeats one: leave one of them out"
        )
        raise settings.refusal([(("samples",), why)])
    return checked | {_SURROGATE: surrogate}


def injected_only(attack: Ref) -> bool:
    """Whether an attack, or its surrogate, takes injected networks alone.

    Their `model` is then annotated as :data:`nenni.adversary.attack.Injected`.
    """
    parts = [("attack", attack["name"])]
    if attack.get("surrogate") is not None:
        parts.append(("surrogate", attack["surrogate"]["name"]))
    return any(plugins.needs(kind, name)["model"] == _INJECTED for kind, name in parts)
