"""Non-Essential Neuron Noise Injection (NENNI, arXiv 2402.04325) and its test bench.

The names below are imported on first use, so that ``import nenni`` costs milliseconds and loads
neither torch nor pandas.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_EXPORTS = {
    "InjectionSpec": "nenni.spec",
    "Sparse": "nenni.projection.sparse",
    "TapShared": "nenni.projection.tap_shared",
    "TopK": "nenni.selection.topk",
    "NM": "nenni.selection.n_m",
    "Random": "nenni.selection.random",
    "Inverted": "nenni.selection.inverted",
    "inject": "nenni.injection",
    "remove": "nenni.injection",
    "fit": "nenni.fitting",
    "report": "nenni.fitting",
    "describe": "nenni.description",
    "fgsm": "nenni.attacks.fgsm",
    "pgd": "nenni.attacks.pgd",
}
__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'nenni' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return __all__
