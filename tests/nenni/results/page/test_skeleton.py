import re
import tomllib
from base64 import b64encode
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from nenni.core.errors import UserError
from nenni.results.page import skeleton

ROOT = Path(__file__).parents[4]


def test_a_name_that_a_template_lacks_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        skeleton.document("run.html.jinja")


def test_the_policy_names_every_script_of_the_page_and_nothing_else(written: Path) -> None:
    html = written.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    found = re.findall(r'<script(?: type="module")?>(.*?)</script>', html, re.S)
    digests = [b64encode(sha256(script.encode()).digest()).decode() for script in found]
    told = policy[1].replace("&#39;", "'").partition("script-src ")[2].split()
    assert told == [f"'sha256-{digest}'" for digest in digests]
    assert len(found) == 3
    assert policy[1].startswith("default-src &#39;none&#39;")


def test_an_installed_wheel_has_all_templates() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["nenni"]
    names = [f.relative_to(ROOT / "nenni").as_posix() for f in skeleton.TEMPLATES.iterdir()]
    assert len(names) >= 5
    assert [n for n in names if not any(fnmatch(n, pattern) for pattern in patterns)] == []


def test_another_itables_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Found:
        origin = str(tmp_path / "__init__.py")

    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "dt_bundle.js").write_text("export{a as jQuery}")
    monkeypatch.setattr(skeleton, "find_spec", lambda name: Found)
    with pytest.raises(UserError, match=r"dt_bundle\.js: has no DataTables in it; install the"):
        skeleton._tables.__wrapped__()
