"""One finished run, for all tests that ask what a change re-runs."""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from workflow_project import Project, contents


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Folder of all workers of this session."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def finished(shared: Path) -> Project:
    """A project whose run has ended, on two cores; one group of tests changes it."""
    with FileLock(shared / "finished.lock"):
        project = Project(shared / "finished" / "project")
        if not project.folder.exists():
            Project.copy(project.folder)
            done = project.run("snakemake", "--cores", "2")
            assert done.returncode == 0, done.stdout + done.stderr
            shutil.copytree(project.folder / "results", shared / "finished" / "results")
    return project


@pytest.fixture(scope="session")
def first_results(finished: Project, shared: Path) -> dict[str, bytes]:
    """What that run wrote, whatever other tests do to it meanwhile."""
    return contents(shared / "finished" / "results")
