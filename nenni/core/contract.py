"""What a plugin of each kind must be, checked where its source is read."""

from nenni.core.declarations import Declaration, Members, file_of, read
from nenni.core.errors import UserError

GIVEN = {
    "attack": ("model", "inputs", "labels", "eps", "generator"),
    "surrogate": ("model",),
    "model": ("input_shape", "n_classes"),
    "data": (),
    "schedule": ("step", "steps"),
}
"""Kind of a function -> the positional parameters that it is handed, in this order."""
BASES = {
    "selection": "nenni.method.selection_base:Selection",
    "projection": "nenni.method.projection_base:Projection",
    "noise": "nenni.method.noise_base:Noise",
    "method": "nenni.training.objective:Objective",
    "defence": "nenni.method.defence:DefenceFormat",
    "baseline": "nenni.method.baseline:Baseline",
}
"""Kind of a class -> the class whose members it has, of its own or by deriving from it."""
_BUILT = BASES.keys() - {"defence"}
"""Kinds of classes that a config's values are given to."""
_NORMS = ("Norm", "LInf", "L2")


def check(kind: str, plugin: Declaration) -> None:
    """Refuse a plugin that its callers could not use.

    Raises
    ------
    UserError
        With its file, what is amiss, and what to do.
    """
    where = f"{plugin.file}: {plugin.name}"
    if kind in BASES:
        _check_class(kind, plugin.of_class, where)
    elif plugin.of_class is not None:
        raise UserError(f"{where} is a class: write the {kind} as a function")
    elif kind in GIVEN:
        _check_given(GIVEN[kind], tuple(plugin.given), where)
    if kind == "attack":
        _check_norm(plugin, where)


def _check_class(kind: str, found: Members | None, where: str) -> None:
    if found is None:
        raise UserError(f"{where} is a function: write the {kind} as a class")
    if kind in _BUILT and not found.dataclass:
        raise UserError(f"{where} is no dataclass: put @dataclass(frozen=True) above it")
    module, _, name = BASES[kind].partition(":")
    base = read(file_of(module), name).of_class
    assert base is not None
    missing = (base.written | base.left_open) - found.written
    if missing and found.whole:
        raise UserError(
            f"{where} lacks {', '.join(sorted(missing))}: derive it from {name} of {module} and "
            f"write {', '.join(sorted(base.left_open))}"
        )


def _check_given(wanted: tuple[str, ...], given: tuple[str, ...], where: str) -> None:
    if given != wanted:
        raise UserError(
            f"{where} takes ({', '.join(given)}): it should take ({', '.join((*wanted, '*'))}, ...)"
            ", where what a config may set comes after the *"
        )


def _check_norm(attack: Declaration, where: str) -> None:
    """An attack says which norms it keeps."""
    norm = next((p for p in attack.parameters if p.name == "norm"), None)
    if norm is None or getattr(norm.annotation, "id", None) not in _NORMS:
        raise UserError(
            f"{where} should have the keyword-only parameter norm, annotated as one of "
            f"{', '.join(_NORMS)} of nenni.core.types: what its eps bounds"
        )
