"""Sum up the flags per example: accuracies with intervals, and paired comparisons.

Inputs: EXPERIMENT/EVALUATION (one file of examples each). Outputs: accuracy, paired (CSV).
"""

from dataclasses import astuple

from nenni.core.errors import UserError
from nenni.core.io import read_csv, write_csv
from nenni.results.accuracy import ANY, Flags, Key, accuracy_table, flags_of, paired_table
from nenni.run.experiment import Experiment
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    flags: dict[Key, Flags] = {}
    for name in job.inputs:
        experiment, (evaluation,) = Experiment.parse(name)
        try:
            found = flags_of(evaluation, read_csv(job.input(name)))
        except ValueError as error:
            file = job.input(name)
            raise UserError(f"{file}: {error}; delete it and run snakemake again") from error
        flags.setdefault(astuple(experiment), {}).update(found)
    table = accuracy_table(flags, c["resamples"])
    paired = paired_table(flags, c["compare_with"], c["resamples"])
    for found in (table, paired):
        norms = found["evaluation"].str.removesuffix(ANY).map(c["norms"])
        found.insert(found.columns.get_loc("eps"), "norm", norms)
    write_csv(job.output("accuracy"), table)
    write_csv(job.output("paired"), paired)
    return f"{len(flags)} experiments, {len(table)} accuracies, {len(paired)} comparisons"
