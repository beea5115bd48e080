"""The whole DAG submitted job by job, as to a cluster, one of whose nodes dies."""

import sys
from pathlib import Path

import pytest
from workflow_project import Project

SUBMIT = '''
"""Run a job script in the background and print its number; the first training dies."""
import pathlib, subprocess, sys
script = pathlib.Path(sys.argv[1])
here = pathlib.Path("cluster")
here.mkdir(exist_ok=True)
number = len(list(here.glob("*.job")))
(here / f"{number}.job").write_text(str(script))
first = "train_base" in script.read_text() and not (here / "died").exists()
if first:
    (here / "died").touch()
command = "kill -9 $$" if first else f"sh {script}"
done = here / f"{number}.done"
line = f"sh -c '{command}'; echo $? > {done}.part; mv {done}.part {done}"
subprocess.Popen(["sh", "-c", line], start_new_session=True, stdin=subprocess.DEVNULL,
                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(number)
'''
STATUS = '''
"""Print what became of a job."""
import pathlib, sys
done = pathlib.Path("cluster") / f"{sys.argv[1]}.done"
print("running" if not done.exists() else "success" if done.read_text().strip() == "0" else "failed")
'''


@pytest.mark.slow
def test_the_whole_dag_on_a_cluster(first_results: dict[str, bytes], tmp_path: Path) -> None:
    project = Project.copy(tmp_path / "submitted")
    for name, text in (("submit.py", SUBMIT), ("status.py", STATUS)):
        (project.folder / name).write_text(text)
    done = project.run(
        "snakemake", "--executor", "cluster-generic", "--jobs", "3", "--retries", "1",
        "--cluster-generic-submit-cmd", f"{sys.executable} submit.py",
        "--cluster-generic-status-cmd", f"{sys.executable} status.py",
        "--seconds-between-status-checks", "1", "--latency-wait", "10",
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert (project.folder / "cluster" / "died").exists()
    assert "Trying to restart job" in output
    results = project.results()
    assert sorted(results) == sorted(first_results)
    assert [name for name in results if results[name] != first_results[name]] == []
