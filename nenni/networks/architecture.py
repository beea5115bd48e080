"""A model in a config: a plugin, or a name with a colon for other people's code.

``torchvision:resnet50`` is short for the plugin ``torchvision`` with the model ``resnet50``, and
``my_module:build`` for the plugin ``function``.
"""

from pathlib import Path
from typing import Any

from nenni.core import plugins


def validate(value: Any) -> dict[str, Any]:
    """Check a model's config and fill in the defaults; see :func:`nenni.core.plugins.validate`."""
    if isinstance(value, dict) and ":" in str(value.get("name")):
        module, _, rest = value["name"].partition(":")
        long = {"name": "torchvision", "model": rest}
        if module != "torchvision":
            long = {"name": "function", "function": value["name"]}
        value = value | long
    return plugins.validate("model", value)


def files_of(function: str) -> list[Path]:
    """Source file of the module in ``MODULE:FUNCTION``, where the working directory has it."""
    file = Path(*function.partition(":")[0].split(".")).with_suffix(".py")
    return [file.resolve()] if file.exists() else []
