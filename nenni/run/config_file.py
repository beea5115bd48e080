"""Read and check config files: one clear line per mistake, before any job starts."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from nenni.core import plain_yaml, plugins, settings
from nenni.core.errors import UserError, in_a_line, refusal
from nenni.run.claims_config import Claims
from nenni.run.claims_contradictions import claims_contradictions
from nenni.run.config import Config
from nenni.run.contradictions import contradictions
from nenni.run.plan import Plan
from nenni.run.problems import Problem
from nenni.run.product_contradictions import empty_products

M = TypeVar("M", bound=BaseModel)


def load_config(path: Path, overrides: dict[str, Any] | None = None) -> Config:
    """Read and check a run's config.

    Parameters
    ----------
    path : Path
        A YAML file.
    overrides : dict
        Top-level keys that replace those of the file.

    Raises
    ------
    UserError
        One line per problem, each with the file, the key and what was expected.
    """
    content = read_yaml(path) | (overrides or {})
    _find_plugins(path, content.get("plugins"))
    config = _validate(path, Config, content)
    refuse(path, contradictions(config))
    refuse(path, empty_products(Plan(config)))
    return config


def with_types(given: Any) -> Any:
    """What Snakemake's --config gives, whose inner numbers and words are all texts, as in YAML."""
    if isinstance(given, dict):
        return {key: with_types(value) for key, value in given.items()}
    if isinstance(given, list):
        return [with_types(value) for value in given]
    return plain_yaml.value(given) if isinstance(given, str) else given


def load_claims(path: Path) -> Claims:
    """Read and check the claims, which name nothing of a run."""
    claims = _validate(path, Claims, read_yaml(path))
    refuse(path, claims_contradictions(claims))
    return claims


def _find_plugins(path: Path, folders: Any) -> None:
    """Find plugins in the folders that a config names; what is no folder is told later."""
    for folder in folders if isinstance(folders, list) else ():
        if isinstance(folder, str) and folder:
            try:
                plugins.use_plugins(folder)
            except UserError as error:
                raise UserError(f"{path}: {error}") from None


def _validate(path: Path, model: type[M], content: dict[str, Any]) -> M:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        refuse(path, settings.problems(model, error))
        raise


def refuse(path: Path, problems: Iterable[Problem]) -> None:
    """Raise a UserError of one line per problem, if there are any."""
    found = [(tuple(part for part in loc if part != "[key]"), what) for loc, what in problems]
    if found:
        raise refusal(str(path), found)


_TOO_DEEP = "blocks lie in each other too deeply, or one in itself"
_MERGE = "tag:yaml.org,2002:merge"
"""Of the key ``<<``, which takes over what another block says."""


_DEEPEST = 100
"""Blocks that a value may lie in."""
_MOST_VALUES = 100_000
"""Values in a config, of which references to blocks could make more than memory holds."""


class _UniqueKeys(plain_yaml.PlainLoader):
    """Loader that refuses a key given twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping whose keys are all different."""
        given = (key for key, _ in node.value if key.tag != _MERGE)
        keys = Counter(str(self.construct_object(key, deep=True)) for key in given)
        for key, count in keys.items():
            if count > 1:
                line = node.start_mark.line + 1
                raise UserError(
                    f"{key}: the name is given {count} times in the block at line {line}"
                )
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Keys and values of a YAML file.

    Raises
    ------
    UserError
        If it cannot be read, is empty, holds something else, or gives a key twice.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except RecursionError as error:
        raise UserError(f"{path}: {_TOO_DEEP}") from error
    except Exception as error:  # values of YAML's own types fail as Python's do
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        what = getattr(error, "problem", None) or in_a_line(error)
        raise UserError(f"{path}: is not valid YAML{line}: {what}") from error
    if content is None:
        raise UserError(f"{path}: is empty; config/config.yaml shows what belongs in it")
    if not isinstance(content, dict):
        raise UserError(f"{path}: should hold keys and values, as config/config.yaml does")
    refuse(path, _no_plain_values(content))
    return content


def _no_plain_values(content: dict[str, Any]) -> Iterator[Problem]:
    """What is neither a block, a list, text, a number, true, false nor null: dates, sets, bytes."""
    found: deque[tuple[tuple[int | str, ...], Any]] = deque([((), content)])
    for _ in range(_MOST_VALUES):
        if not found:
            return
        loc, value = found.popleft()
        if len(loc) > _DEEPEST:
            yield (), _TOO_DEEP
            return
        if isinstance(value, dict):
            found += (((*loc, str(key)), inner) for key, inner in value.items())
            for key in (key for key in value if not isinstance(key, str)):
                yield (*loc, str(key)), f"a key should be text; write '{key}' in quotes"
        elif isinstance(value, list):
            found += (((*loc, i), inner) for i, inner in enumerate(value))
        elif not isinstance(value, str | int | float | None):
            told = f"got a {type(value).__name__}; put text in quotes"
            yield loc, f"should be text or a number, {told}"
    yield (), f"holds more than {_MOST_VALUES:,} values"
