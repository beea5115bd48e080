"""Make config/README.md and config/schema.json from the classes and functions that a config sets.

The schema of cards, nenni/cards/card.schema.json, is made from its classes too.

    python workflow/scripts/config_pages.py      # make config

Names, types, defaults and ranges are those that a config is checked by; the sentences are those of
the docstrings.
"""

import json
import typing
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin

from _config_docs import sentences, words
from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from nenni.cards import schema as cards
from nenni.cards import schema_cost, schema_run
from nenni.core import plugins, settings, types
from nenni.core.declarations import ROOT, file_of, read
from nenni.core.settings import PluginOf
from nenni.run import claims_config, config
from nenni.run.claims_config import Arm, Claim, Source
from nenni.run.config import Config, Settings

README, SCHEMA = ROOT / "config" / "README.md", ROOT / "config" / "schema.json"
CARD_SCHEMA = ROOT / "nenni" / "cards" / "card.schema.json"
_INTRO = """\
# Configuration

One YAML file describes a run. `config.yaml` is the default, on real digits; choose another with
`snakemake --configfile config/NAME.yaml`, and change single keys on the command line with
`--config 'seeds=[0,1,2]'`. A mistake is named with its file and key before any job starts;
`nenni check FILE` does the same without Snakemake. Names are made of `a-z`, `0-9` and `_`, up to
{longest} of them. Whole numbers go up to {whole:,}, others to {number:,.0f}; a list holds
no value twice where that would mean nothing. L-inf radii (`eps`) are in 1/255 of the [0, 1] input,
L2 radii in units of it.

What a change re-runs is what reads it: an attack's steps the evaluations (and the training) that
use it, a fraction its own defence, a figure's width that figure, a comment nothing.
`snakemake -n` shows it.

An editor that knows YAML schemas completes and checks a config by its first line. It lets any name
pass that is no plugin's of this project, with any keys, since it may be one of your own: a misspelt
name is refused by `nenni check` alone.

    # yaml-language-server: $schema=schema.json

This page and `schema.json` are made by `make config` from the classes that a config is checked by.
"""
_PARTS = {
    "What is trained": ("data", "models", "attacks", "recipes", "bases"),
    "What is injected": ("profile", "injection", "fit", "finetunes", "defences"),
    "What is measured": ("evaluations", "suites", "diagnose", "sweep", "describe"),
    "What is made of it": ("tables", "figures"),
}
_LISTED = {
    "data": ("data",),
    "models": ("model",),
    "attacks": ("attack", "surrogate"),
    "recipes": ("method", "schedule"),
    "injection": ("projection", "selection", "noise"),
    "defences": ("baseline",),
    "figures": ("figure",),
}
"""Part of the config -> kinds of the plugins that are listed under it."""
_HEAD = "| key | what | default | meaning |\n| --- | --- | --- | --- |"
_HERE, _CLAIMS = Path(config.__file__), Path(claims_config.__file__)
_OF_A_RUN = {
    "examples": "Training images.",
    "attacked": "Whether they are attacked, as the training of the base attacks them.",
}
"""Settings that a run adds to those of a function."""


def readme() -> str:
    """The page on all keys."""
    said = sentences(_HERE, "Config")[1]
    parts = [name for names in _PARTS.values() for name in names]
    fields = Config.model_fields
    intro = _INTRO.format(
        longest=types.LONGEST_NAME, whole=types.LARGEST_WHOLE, number=types.LARGEST_NUMBER
    )
    rows = [_row(name, fields[name], said) for name in fields if name not in parts]
    sections = [intro, "## The run", "\n".join([_HEAD, *rows])]
    for title, names in _PARTS.items():
        sections += [f"## {title}", *(part(name, said.get(name, "")) for name in names)]
    sections.append("## `claims.yaml`")
    for title, model in (("sources.<name>", Source), ("claims.<name>", Claim), ("arms", Arm)):
        about, said = sentences(_CLAIMS, model.__name__)
        sections += [f"### `{title}`", about, table(model, said)]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def part(name: str, about: str) -> str:
    """Heading, keys and plugins of one part of the config."""
    many, kind, marks = _inner(Config.model_fields[name])
    lines = [f"### `{name}.<name>`" if many else f"### `{name}`"]
    for mark in marks:
        if isinstance(mark, Settings):
            about, said = _of_settings(mark)
            lines.append(table(mark.model, said))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        about, said = sentences(_HERE, kind.__name__)
        lines.append(table(kind, said))
    lines.insert(1, about)
    return "\n\n".join([*lines, *map(listed, _LISTED.get(name, ()))])


def _inner(info: FieldInfo) -> tuple[bool, Any, tuple[Any, ...]]:
    """Whether a part has entries by name, and their type and marks."""
    kind, marks = info.annotation, tuple(info.metadata)
    many = get_origin(kind) is dict and not marks
    if many:
        kind = get_args(kind)[1]
    if get_origin(kind) in (UnionType, typing.Union):
        kind = next(k for k in get_args(kind) if k is not NoneType)
    if get_origin(kind) is Annotated:
        kind, *more = get_args(kind)
        marks += tuple(more)
    return many, kind, marks


def _of_settings(mark: Settings) -> tuple[str, dict[str, str]]:
    """What the docstrings of a part's sources say, and of the run's own settings."""
    about, said = "", dict(_OF_A_RUN)
    for source in mark.sources:
        module, _, name = source.partition(":")
        about, more = sentences(file_of(module), name)
        said |= more
    return about, said


def table(model: type[BaseModel], said: dict[str, str]) -> str:
    """Key, type, default and meaning of each field."""
    rows = [_row(name, info, said) for name, info in model.model_fields.items()]
    return "\n".join([_HEAD, *rows])


def _row(name: str, info: FieldInfo, said: dict[str, str]) -> str:
    cells = [words(info.annotation, *info.metadata), _default(info), said.get(name, "")]
    return f"| `{name}` | " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(info: FieldInfo) -> str:
    if info.default is PydanticUndefined:
        return "needed"
    if info.default is None:
        return ""
    if isinstance(info.default, dict) and "name" in info.default:
        return f"`{info.default['name']}`"
    return f"`{json.dumps(info.default)}`"


def listed(kind: str) -> str:
    """All plugins of a kind with their parameters."""
    folder = f"nenni/{plugins.PACKAGES[kind].replace('.', '/')}/"
    return "\n".join([f"Plugins `{kind}` ([{folder}](../{folder})):", "", *_plugins(kind)])


def _plugins(kind: str) -> Iterator[str]:
    for name in plugins.names(kind):
        file = plugins.path(kind, name)
        about, said = sentences(file, read(file).name)
        yield f"- `{name}`: {about}"
        for key, info in settings.schema(kind, name).model_fields.items():
            default = _default(info)
            default = default if default in ("needed", "") else f"default {default}"
            told = ", ".join(filter(None, (words(info.annotation, *info.metadata), default)))
            yield f"    - `{key}` ({told})" + (f": {said[key]}" if said.get(key) else "")


def schema() -> dict[str, Any]:
    """JSON Schema of a config, with the plugins of this package, and room for one's own."""
    kinds = [kind for kinds in _LISTED.values() for kind in kinds]
    described = _described(Config, dict.fromkeys(()))
    definitions = described.pop("$defs", {})
    for kind in kinds:
        definitions[f"plugin_{kind}"] = {"anyOf": [*_alternatives(kind), _own(kind)]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Config of a run of NENNI",
        **described,
        "$defs": definitions,
    }


def card_schema() -> dict[str, Any]:
    """JSON Schema of a card, with the sentences of its classes."""
    found = cards.Card.model_json_schema(ref_template="#/$defs/{model}")
    for name, part in (("Card", found), *found["$defs"].items()):
        _describe(part, sentences(_home_of_part(name), name)[1])
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, "$id": cards.SCHEMA, **found, "title": "Card of a network"}


def _home_of_part(name: str) -> Path:
    """The file of the class of a part of a card."""
    homes = (cards, schema_run, schema_cost)
    named = next(kind for home in homes if (kind := getattr(home, name, None)))
    return file_of(named.__module__)


def _described(model: type[BaseModel], said: dict[str, str]) -> dict[str, Any]:
    """JSON Schema of a model, with the sentences of its docstring."""
    found = model.model_json_schema(ref_template="#/$defs/{model}")
    for name, part in found.get("$defs", {}).items():
        _describe(part, sentences(_HERE, name)[1])
    _describe(found, said or sentences(_HERE, model.__name__)[1])
    definitions = found.setdefault("$defs", {})
    resolved: dict[str, Any] = _resolve(found, definitions)
    return resolved


def _describe(part: dict[str, Any], said: dict[str, str]) -> None:
    for name, content in part.get("properties", {}).items():
        if said.get(name):
            content["description"] = said[name].replace("`", "")
        content.pop("title", None)
    part.pop("description", None)


def _resolve(value: Any, definitions: dict[str, Any]) -> Any:
    """Put plugins and settings in the place of their marks."""
    if isinstance(value, list):
        return [_resolve(inner, definitions) for inner in value]
    if not isinstance(value, dict):
        return value
    if (kind := value.get(PluginOf.KEY)) is not None:
        kept = {k: v for k, v in value.items() if k in ("description", "default")}
        return {"$ref": f"#/$defs/plugin_{kind}", **kept}
    if (number := value.get(Settings.KEY)) is not None:
        mark = Settings.known[number]
        inner = _described(mark.model, _of_settings(mark)[1])
        definitions |= inner.pop("$defs", {})
        return {**inner, **{k: v for k, v in value.items() if k == "description"}}
    return {key: _resolve(inner, definitions) for key, inner in value.items()}


def _alternatives(kind: str) -> Iterator[dict[str, Any]]:
    for name in plugins.names(kind):
        file = plugins.path(kind, name)
        about, said = sentences(file, read(file).name)
        model = settings.schema(kind, name)
        described = _described(create_model(name, __base__=model), {"": "", **said})
        properties = {"name": {"const": name}, **described.get("properties", {})}
        if kind == "attack":
            properties["surrogate"] = {"$ref": "#/$defs/plugin_surrogate"}
            properties["compile"] = {"type": "boolean", "default": False}
        yield {
            "type": "object",
            "title": name,
            "description": about.replace("`", ""),
            "properties": properties,
            "required": ["name", *described.get("required", [])],
            "additionalProperties": False,
        }
    if kind == "model":
        by_colon = {"name": {"type": "string", "pattern": "^[\\w.]+:\\w+$"}}
        yield {"type": "object", "properties": by_colon, "required": ["name"]}


def _own(kind: str) -> dict[str, Any]:
    """A plugin of one's own: another name than those known, with whatever keys."""
    name = {"type": "string", "pattern": "^[a-z0-9_]+$", "not": {"enum": plugins.names(kind)}}
    return {
        "type": "object",
        "title": "of your own",
        "description": "From a folder that the key plugins names; nenni check knows its keys.",
        "properties": {"name": name},
        "required": ["name"],
    }


def pages() -> dict[Path, str]:
    """The files and what they should hold."""
    schemas = {SCHEMA: schema(), CARD_SCHEMA: card_schema()}
    return {README: readme(), **{f: json.dumps(s, indent=1) + "\n" for f, s in schemas.items()}}


if __name__ == "__main__":
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")
