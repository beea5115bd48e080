import os
import shutil
from collections.abc import Iterator

import pytest

from nenni.deployment import compiled


@pytest.fixture
def anew() -> Iterator[None]:
    compiled._built.cache_clear()
    yield
    compiled._built.cache_clear()


@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize("missing", ["c++", "ninja"])
def test_without_a_compiler_torch_is_left_and_a_warning_says_so(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool == missing else which(tool))
    with pytest.warns(
        UserWarning, match=f"not built \\(.*{missing.replace('+', '.')}.* not found\\); install a C"
    ):
        assert compiled.kernels() == ("torch",)


@pytest.mark.usefixtures("anew")
def test_a_build_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool: tool)
    monkeypatch.setattr(compiled, "_SOURCES", ("none.cpp",))
    with pytest.warns(UserWarning, match="kernels were not built"):
        assert compiled.kernels() == ("torch",)


@pytest.mark.usefixtures("anew")
def test_ninja_of_an_environment_that_is_not_activated_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if shutil.which("c++") is None or shutil.which("ninja") is None:
        pytest.skip("no C++ compiler or no ninja here")
    monkeypatch.setenv("PATH", os.defpath)
    assert len(compiled.kernels()) > 1
