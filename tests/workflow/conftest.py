"""One finished run, for all tests that ask what a change re-runs."""

import pytest
from workflow_project import Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose run has ended, on two cores."""
    project = Project.copy(tmp_path_factory.mktemp("finished") / "project")
    done = project.run("snakemake", "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    return project
