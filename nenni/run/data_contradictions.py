"""Splits and images that a config asks for and its data sets do not have, where that is known."""

from collections.abc import Iterator

from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.data.sizes import SPLITS, Split, known_sizes, split_sizes
from nenni.networks.channels import check_channels
from nenni.run.config import Config, Diagnose, Evaluation, Suite
from nenni.run.problems import Problem


def data_contradictions(config: Config) -> Iterator[Problem]:
    """All of them; names may still be unknown."""
    sizes: dict[str, dict[Split, int]] = {}
    for name, data in config.data.items():
        asked: dict[Split, int | None] = {split: getattr(data, split) for split in SPLITS}
        sizes[name] = {split: n for split, n in asked.items() if n is not None}
        if (pools := known_sizes(data.data)) is None:
            continue
        try:
            sizes[name] = split_sizes(pools, asked)
        except UserError as error:
            yield ("data", name), str(error)
    yield from _of_models(config)
    for base, split, asked_for, loc in _examples(config):
        known = config.bases[base].data if base in config.bases else ""
        size = sizes.get(known, {}).get(split)
        if size is not None and asked_for > size:
            yield loc, f"should be at most the {size} {split} images of base '{base}'"


def _examples(c: Config) -> Iterator[tuple[str, Split, int, tuple[str, ...]]]:
    """Base, split and number of the images that each part of a config takes."""
    measured: list[tuple[tuple[str, ...], Evaluation | Suite | Diagnose]] = []
    measured += [(("evaluations", name), part) for name, part in c.evaluations.items()]
    measured += [(("suites", name), part) for name, part in c.suites.items()]
    measured += [(("diagnose",), c.diagnose)] if c.diagnose else []
    for loc, part in measured:
        for base in part.eps:
            yield base, "test", part.examples, (*loc, "examples")
    yield c.sweep.base, "test", c.sweep.examples, ("sweep", "examples")
    for base in c.experiments:
        yield base, "val", c.describe.examples, ("describe", "examples")
        yield base, "train", c.profile.examples, ("profile", "examples")
        yield base, "train", c.fit["examples"], ("fit", "examples")


def _of_models(config: Config) -> Iterator[Problem]:
    for name, base in config.bases.items():
        if base.data not in config.data or base.model not in config.models:
            continue
        data = config.data[base.data].data["name"]
        shape = plugins.constant("data", data, "SHAPE", None)
        try:
            if shape is not None:
                check_channels(config.models[base.model], shape[0])
        except UserError as error:
            yield ("bases", name, "model"), str(error)
