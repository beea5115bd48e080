"""Which layers patterns choose; see :class:`nenni.method.spec.InjectionSpec`."""

from collections.abc import Iterable, Mapping, Sequence

from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations

from nenni.core.errors import UserError
from nenni.method.spec import matches
from nenni.networks.attention import make_attention_explicit
from nenni.networks.copying import copied

LAYERS = (nn.Conv2d, nn.Linear)


def kind_of(layer: nn.Module) -> str:
    """Name of a layer's type, as ``type:`` has it."""
    return type_before_parametrizations(layer).__name__


def hits(pattern: str, kinds: Mapping[str, str]) -> set[str]:
    """Names that a pattern matches, with or without a leading ``!``.

    Parameters
    ----------
    pattern : str
        Of names, or of types after ``type:``.
    kinds : mapping
        Name of each layer -> name of its type.
    """
    plain = pattern.removeprefix("!")
    return {name for name, kind in kinds.items() if matches(plain, name, kind)}


def chosen(patterns: Sequence[str], kinds: Mapping[str, str], usual: set[str]) -> set[str]:
    """Names of the layers that patterns choose, later ones over those before.

    Parameters
    ----------
    patterns : sequence of str
        Those to leave out with a leading ``!``.
    kinds : mapping
        Name of each layer that could be chosen -> name of its type.
    usual : set of str
        Without patterns, or where the first leaves some out: what the others start from.

    Raises
    ------
    UserError
        If a pattern matches none.
    """
    wanted = set(usual) if not patterns or patterns[0].startswith("!") else set()
    for pattern in patterns:
        found = hits(pattern, kinds)
        if not found:
            raise UserError(f"layers: '{pattern}' matches none of: {', '.join(kinds)}")
        wanted = wanted - found if pattern.startswith("!") else wanted | found
    return wanted


def unmatched(
    model: nn.Module, patterns: Iterable[str], of: tuple[type[nn.Module], ...] = LAYERS
) -> tuple[list[str], list[str]]:
    """Patterns that match no layer of a plain network, and all of these.

    Parameters
    ----------
    model : Module
        Which may be on the device meta.
    patterns : iterable of str
        Of layers or overrides, see :class:`nenni.method.spec.InjectionSpec`.
    of : tuple of type
        Modules that count.
    """
    explicit = copied(model)
    make_attention_explicit(explicit)
    kinds = {name: kind_of(m) for name, m in explicit.named_modules() if isinstance(m, of)}
    return [pattern for pattern in patterns if not hits(pattern, kinds)], [*kinds]
