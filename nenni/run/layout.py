"""Where everything that a run writes is: the one place that knows the folders.

Each function gives a path with Snakemake's wildcards for what it is not told, as rules need them,
or the path of one file.
"""

from dataclasses import dataclass
from pathlib import Path

from nenni.run.experiment import Experiment

_EXPERIMENT = "{base}/{defence}/seed{seed}"


@dataclass(frozen=True)
class Layout:
    """Paths of a run, relative to the folder that the workflow runs in.

    Parameters
    ----------
    run : str
        Name of the run.
    """

    run: str

    @property
    def results(self) -> str:
        """Folder of all results."""
        return f"results/{self.run}"

    def data(self, name: str = "{data}") -> str:
        """A decoded dataset."""
        return f"{self.results}/data/{name}.safetensors"

    def base(self, file: str, base: str = "{base}", seed: int | str = "{seed}") -> str:
        """A file of a base."""
        return f"{self.results}/bases/{base}/seed{seed}/{file}"

    def experiment(self, file: str, e: Experiment | None = None) -> str:
        """A file of an experiment."""
        return f"{self.results}/experiments/{_EXPERIMENT if e is None else e.key}/{file}"

    def attack(self, kind: str, e: Experiment | None = None, name: str = "{evaluation}") -> str:
        """What an attack found: its examples (csv), or notes on it (json)."""
        return self.experiment(f"attacks/{name}.{kind}", e)

    def table(self, name: str = "{table}", kind: str = "csv") -> str:
        """A table of the run."""
        return f"{self.results}/tables/{name}.{kind}"

    def figure(self, kind: str, name: str = "{figure}") -> str:
        """A figure of the run."""
        return f"{self.results}/figures/{name}.{kind}"

    def page(self) -> str:
        """The page of the run."""
        return f"{self.results}/index.html"

    def timing(self, stage: str, e: Experiment | None = None) -> str:
        """Times of a stage of an experiment, which are no results."""
        return f"benchmarks/{self.run}/{stage}/{_EXPERIMENT if e is None else e.key}.json"

    def base_timing(self) -> str:
        """Times of the training of a base."""
        return f"benchmarks/{self.run}/pretrain/{{base}}/seed{{seed}}.json"

    def overhead(self) -> str:
        """What injection adds to the time of training."""
        return f"benchmarks/{self.run}/training_overhead.csv"

    def comparison(self) -> str:
        """The comparison with the measured times of training, which are no results."""
        return f"benchmarks/{self.run}/comparison.csv"

    def manifest(self, *job: str) -> str:
        """Checksums of what a job wrote."""
        return f"{self.results}/manifests/{'/'.join(job)}.sha256"

    def log(self, *job: str) -> str:
        """What a job said."""
        return f"logs/{self.run}/{'/'.join(job)}.log"

    @staticmethod
    def folder_of(manifest: Path) -> Path:
        """Folder of the run that a manifest belongs to."""
        return Path(*manifest.parts[:2])

    @staticmethod
    def job_of(manifest: Path) -> tuple[str, ...]:
        """What :meth:`manifest` was told of the job whose checksums a file holds."""
        return manifest.with_suffix("").parts[3:]
