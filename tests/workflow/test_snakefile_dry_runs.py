"""Every config of the project is planned to its last job, with data where it names files."""

from pathlib import Path

import pytest
from workflow_project import Project, bring_data

ROOT = Path(__file__).parents[2]
RUNS = sorted(
    file.name
    for file in (ROOT / "config").glob("*.yaml")
    if file.read_text(encoding="utf-8").startswith("# yaml-language-server")
)


@pytest.mark.long
@pytest.mark.parametrize("name", RUNS)
def test_it_is_planned_whole(name: str, tmp_path: Path) -> None:
    project = Project.copy(tmp_path)
    bring_data(tmp_path)
    if name == "config.yaml":
        project.config.write_bytes((ROOT / "config" / name).read_bytes())
    done = project.run("snakemake", "-n", "--quiet", "rules", "--configfile", f"config/{name}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "make_page" in done.stdout
