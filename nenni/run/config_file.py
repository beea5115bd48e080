"""Read and check config files: one clear line per mistake, before any job starts."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from nenni.core import plugins, settings
from nenni.core.errors import UserError
from nenni.run.config import Claims, Config
from nenni.run.contradictions import Problem, bad_claims, contradictions, figures_without_table
from nenni.run.plan import Plan

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
    _refuse(path, contradictions(config))
    _refuse(path, figures_without_table(Plan(config)))
    return config


def with_types(given: Any) -> Any:
    """What Snakemake's --config gives, whose inner numbers and words are all texts, as in YAML."""
    if isinstance(given, dict):
        return {key: with_types(value) for key, value in given.items()}
    if isinstance(given, list):
        return [with_types(value) for value in given]
    return yaml.safe_load(given) if isinstance(given, str) else given


def load_claims(path: Path, config: Config) -> Claims:
    """Read and check the claims of the paper, which name bases, defences and columns of a run."""
    claims = _validate(path, Claims, read_yaml(path))
    _refuse(path, bad_claims(claims, config))
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
        _refuse(path, [problem for e in error.errors() for problem in settings.problems(dict(e))])
        raise


def _refuse(path: Path, problems: Iterable[Problem]) -> None:
    lines = [
        f"{path}: {'.'.join(str(part) for part in loc if part != '[key]')}: {message}"
        for loc, message in problems
    ]
    if lines:
        raise UserError("\n".join(lines))


class _UniqueKeys(yaml.SafeLoader):
    """Loader that refuses a key given twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping whose keys are all different."""
        keys = Counter(str(self.construct_object(key, deep=True)) for key, _ in node.value)
        for key, count in keys.items():
            if count > 1 and key != "<<":
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
        content = yaml.load(path.read_text(), _UniqueKeys)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        what = getattr(error, "problem", None) or str(error)
        raise UserError(f"{path}: is not valid YAML{line}: {what}") from error
    if content is None:
        raise UserError(f"{path}: is empty; config/config.yaml shows what belongs in it")
    if not isinstance(content, dict):
        raise UserError(f"{path}: should hold keys and values, as config/config.yaml does")
    return content
