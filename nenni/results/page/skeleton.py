"""The frame of every page: templates, style, scripts, and a promise that nothing is fetched."""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from nenni.core.errors import UserError
from nenni.results.page import chart

TEMPLATES = Path(__file__).with_name("templates")
_BUNDLE = "html/dt_bundle.js"
_EXPORTED = re.compile(r"export\s*\{([^{}]*)\}")
_DEFAULT = re.compile(r"([\w$]+) as default")


def document(template: str, **content: Any) -> str:
    """A page from a template, with its style and scripts within it.

    All text is escaped. The page's policy forbids the browser to ask for anything, and to run any
    script but those that are here.

    Parameters
    ----------
    template : str
        File in ``templates/`` that extends ``document.html.jinja``.
    content : dict
        What it names.
    """
    scripts = (_charts(), _tables(), _text("page.js"))
    return environment().get_template(template).render(
        style=Markup(_text("style.css")),
        scripts=[Markup(script) for script in scripts],
        policy=_policy(scripts),
        **content,
    )  # fmt: skip


@cache
def environment() -> Environment:
    """What renders templates: text is escaped, and a name that is missing is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _policy(scripts: tuple[str, ...]) -> str:
    """Content Security Policy: nothing from elsewhere, and no script but these."""
    digests = (b64encode(sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
        f"form-action 'none'; script-src {allowed}"
    )


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8").strip() + "\n"


@cache
def _charts() -> str:
    return _within_html(chart.scripts())


@cache
def _tables() -> str:
    """DataTables, which makes plain tables sortable and searchable, as itables carries it.

    It is a module, whose export is put where the page's own script finds it.
    """
    package = find_spec("itables")
    assert package is not None
    assert package.origin is not None
    file = Path(package.origin).parent / _BUNDLE
    module = file.read_text(encoding="utf-8")
    exported = [*_EXPORTED.finditer(module)]
    name = _DEFAULT.search(exported[-1][1]) if exported else None
    if name is None:
        raise UserError(f"{file}: has no DataTables in it; install the itables of constraints.txt")
    start, end = exported[-1].span()
    return _within_html(f"{module[:start]}globalThis.DataTable={name[1]};{module[end:]}")


def _within_html(script: str) -> str:
    """A script without the letters that would end its element; in strings they mean the same."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
