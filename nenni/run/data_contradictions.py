"""Splits and images that a config asks for and its data sets do not have, where that is known."""

from collections.abc import Iterator
from typing import NamedTuple

from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.data.sizes import SPLITS, Split, known_sizes, split_sizes
from nenni.networks.channels import check_channels
from nenni.run.config import Config, Diagnose, Evaluation, Suite
from nenni.run.problems import Problem


def data_contradictions(config: Config) -> Iterator[Problem]:
    """All of them; names may still be unknown."""
    asked = list(_asked(config))
    sizes: dict[str, dict[Split, int]] = {}
    for name, data in config.data.items():
        wanted: dict[Split, int | None] = {split: getattr(data, split) for split in SPLITS}
        sizes[name] = {split: n for split, n in wanted.items() if n is not None}
        enough = sum(sizes[name].values()) + 1
        enough += sum(a.examples for a in asked if _data(config, a.base) == name)
        if (pools := known_sizes(data.data, enough)) is None:
            continue
        try:
            sizes[name] = split_sizes(pools, wanted)
        except UserError as error:
            yield ("data", name), str(error)
    yield from _of_models(config)
    yield from _of_sources(config)
    for base, split, examples, loc in asked:
        size = sizes.get(_data(config, base), {}).get(split)
        if size is not None and examples > size:
            yield loc, f"should be at most the {size} {split} images of base '{base}'"


class _Asked(NamedTuple):
    """Images that a part of a config takes of a base's split."""

    base: str
    split: Split
    examples: int
    loc: tuple[str, ...]


def _data(config: Config, base: str) -> str:
    return config.bases[base].data if base in config.bases else ""


def _asked(c: Config) -> Iterator[_Asked]:
    measured: list[tuple[tuple[str, ...], Evaluation | Suite | Diagnose]] = []
    measured += [(("evaluations", name), part) for name, part in c.evaluations.items()]
    measured += [(("suites", name), part) for name, part in c.suites.items()]
    measured += [(("diagnose",), c.diagnose)] if c.diagnose else []
    for loc, part in measured:
        for base in part.eps:
            yield _Asked(base, "test", part.examples, (*loc, "examples"))
    yield _Asked(c.sweep.base, "test", c.sweep.examples, ("sweep", "examples"))
    for base in c.experiments:
        yield _Asked(base, "val", c.describe.examples, ("describe", "examples"))
        yield _Asked(base, "train", c.profile.examples, ("profile", "examples"))
        yield _Asked(base, "train", c.fit["examples"], ("fit", "examples"))


def _shape(config: Config, base: str) -> tuple[int, ...] | None:
    """Of a base's images (C, H, W), where the data set's plugin declares it."""
    if (data := config.data.get(_data(config, base))) is None:
        return None
    shape: tuple[int, ...] | None = plugins.constant("data", data.data["name"], "SHAPE", None)
    return shape


def _of_sources(config: Config) -> Iterator[Problem]:
    """Sources of transfer that take other images than what they are to attack."""
    parts: list[tuple[tuple[str, ...], Evaluation | Diagnose]] = []
    parts += [(("evaluations", name), part) for name, part in config.evaluations.items()]
    parts += [(("diagnose",), config.diagnose)] if config.diagnose else []
    for loc, part in parts:
        source = part.source.base if part.source else ""
        taken = _shape(config, source)
        for base in part.eps if taken else ():
            if (shape := _shape(config, base)) not in (None, taken):
                message = (
                    f"'{source}' takes images {taken}, and '{base}', which is attacked, {shape}"
                )
                yield (*loc, "source", "base"), message


def _of_models(config: Config) -> Iterator[Problem]:
    for name, base in config.bases.items():
        shape = _shape(config, name)
        try:
            if shape is not None and base.model in config.models:
                check_channels(config.models[base.model], shape[0])
        except UserError as error:
            yield ("bases", name, "model"), str(error)
