"""Sum up the flags per example: accuracies with intervals, and paired comparisons.

Inputs: EXPERIMENT/EVALUATION (one file of examples each). Outputs: accuracy, paired (CSV).
"""

from dataclasses import astuple

import pandas as pd

from nenni.core.errors import UserError
from nenni.core.io import read_csv, write_csv
from nenni.core.types import Norm
from nenni.results.accuracy import ANY, Flags, Key, accuracy_table, flags_of
from nenni.results.paired import least_name, paired_table
from nenni.run.experiment import Experiment
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    flags: dict[Key, Flags] = {}
    suites: dict[Key, dict[tuple[str, Norm], dict[str, pd.DataFrame]]] = {}
    for name in job.inputs:
        experiment, (evaluation,) = Experiment.parse(name)
        examples = read_csv(job.input(name))
        try:
            found = flags_of(evaluation, examples)
        except ValueError as error:
            file = job.input(name)
            raise UserError(f"{file}: {error}; delete it and run snakemake again") from error
        key: Key = astuple(experiment)
        flags.setdefault(key, {}).update(found)
        if (suite := c["suites"].get(evaluation)) is not None:
            of_suite = suites.setdefault(key, {}).setdefault((suite, c["norms"][evaluation]), {})
            of_suite[evaluation] = examples
    table = accuracy_table(flags)
    paired = paired_table(flags, c["pairs"], suites)
    norms = {name + end: norm for name, norm in c["norms"].items() for end in ("", ANY)}
    norms |= {least_name(*of): of[1] for found in suites.values() for of in found}
    for made in (table, paired):
        made.insert(made.columns.get_loc("eps"), "norm", made["evaluation"].map(norms))
    write_csv(job.output("accuracy"), table)
    write_csv(job.output("paired"), paired)
    return f"{len(flags)} experiments, {len(table)} accuracies, {len(paired)} comparisons"
