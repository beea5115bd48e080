"""What the site needs beyond plugins: MathML, links out of docs/, and tidier docstrings."""

import html
import re
from pathlib import Path
from typing import Any

from griffe import Alias, Extension, Module
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.S)
_ROLE = re.compile(r":(?:class|func|mod):(?=<code>)")
_OUTSIDE = re.compile(r"(?<=\]\()\.\./([^)#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Copy to files/ what the pages link to outside docs/, so that both links work."""
    root = Path(config.config_file_path).parent
    pages = [page.content_string for page in files.documentation_pages()]
    for path in sorted({path for page in pages for path in _OUTSIDE.findall(page)}):
        if (root / path).is_file():  # else the link stays dangling, and the build says so
            files.append(File.generated(config, f"files/{path}", abs_src_path=str(root / path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Point links out of docs/ to the copies."""
    return _OUTSIDE.sub(r"files/\1", markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Turn formulas into MathML, which browsers draw themselves, and drop the roles of Sphinx."""
    return _FORMULA.sub(_mathml, _ROLE.sub("", content))


def _mathml(formula: re.Match[str]) -> str:
    display = "block" if formula[1] == "div" else "inline"
    return convert(html.unescape(formula[2]), display=display)


class PydanticDataclasses(Extension):
    """Let griffe see that a dataclass of pydantic is a dataclass, with its constructor."""

    def on_module_members(self, *, mod: Module, **_: Any) -> None:
        """Take the decorator for that of the standard library."""
        imported = mod.members.get("dataclass")
        if isinstance(imported, Alias) and imported.target_path == "pydantic.dataclasses.dataclass":
            imported.target_path = "dataclasses.dataclass"
