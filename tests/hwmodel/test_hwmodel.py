"""What the package imports, and what it gives to others."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "pandas", "nenni", "snakemake"}


def modules_after(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(*sorted(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in result.stdout.splitlines()[-1].split()}


def test_everything_public_is_light() -> None:
    code = """
import hwmodel, hwmodel.__main__
for name in hwmodel.__all__:
    getattr(hwmodel, name)
from hwmodel import csv_output, report
"""
    loaded = modules_after(code)
    assert "pydantic" in loaded
    assert not loaded & HEAVY


def test_import_and_help_do_not_even_load_pydantic() -> None:
    code = """
import hwmodel.__main__
try:
    hwmodel.__main__.main(["--help"])
except SystemExit as stop:
    assert stop.code == 0
"""
    assert not modules_after(code) & (HEAVY | {"pydantic"})


def test_help_is_instructive() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "hwmodel", "--help"], capture_output=True, text=True, check=True
    )
    for word in ("layers.json", "--preset", "edge_npu", "server_cpu", "--reductions", "example"):
        assert word in result.stdout


def test_public_names() -> None:
    import hwmodel

    assert dir(hwmodel) == sorted(hwmodel.__all__)
    with pytest.raises(AttributeError, match="no attribute 'joules'"):
        _ = hwmodel.joules


def test_functions_survive_importing_their_modules() -> None:
    code = """
import hwmodel.reduction, hwmodel.energy_estimate, hwmodel.roofline, hwmodel.preset, hwmodel
assert all(not isinstance(getattr(hwmodel, n), type(sys)) for n in hwmodel.__all__)
"""
    modules_after(code)
