"""Sum up the suites of attacks: each attack, and the least over all of them per image.

Inputs: EXPERIMENT/SUITE/ATTACK (examples), and the same with /about (JSON). Outputs: suites and,
for randomised networks, persistence (CSV).
"""

from nenni.core.io import read_csv, read_json, write_csv
from nenni.results.suites import Attacked, Group, suites_table, tries_table
from nenni.run.experiment import Experiment
from nenni.run.job import Job

_ABOUT = "/about"


def run(job: Job) -> str:
    """Run the stage."""
    groups: dict[Group, dict[int, Attacked]] = {}
    for name in job.inputs:
        if name.endswith(_ABOUT):
            continue
        e, (suite, attack) = Experiment.parse(name)
        about = read_json(job.input(f"{name}{_ABOUT}"))
        seeds = groups.setdefault((e.base, e.defence, suite, about["norm"]), {})
        attacked = seeds.setdefault(e.seed, Attacked())
        attacked.tables[attack] = read_csv(job.input(name))
        attacked.notes[attack] = about["notes"]
    found = suites_table(groups)
    write_csv(job.output("suites"), found)
    write_csv(job.output("persistence"), tries_table(groups))
    return f"{len(found)} accuracies in {len(groups)} suites"
