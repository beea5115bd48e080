"""What a stage gets: its slice of the config, its files, and a place for unfinished work."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from nenni.core.errors import UserError
from nenni.core.io import sha256
from nenni.core.progress import Progress
from nenni.run import provenance

CHECKPOINTS = Path(".nenni/checkpoints")


@dataclass(frozen=True)
class Job:
    """One run of a stage.

    Attributes
    ----------
    stage : str
        Name of the stage.
    config : dict
        Its slice of the run's config.
    inputs : dict
        Name -> files; most names have one.
    outputs : dict
        Name -> file.
    progress : callable
        Tells how far the work is, on standard error.
    """

    stage: str
    config: dict[str, Any]
    inputs: dict[str, list[Path]]
    outputs: dict[str, Path]
    progress: Callable[[str], None] = field(default_factory=Progress)

    def input(self, name: str) -> Path:
        """The one file of an input."""
        if len(self.inputs.get(name, [])) != 1:
            raise UserError(f"{self.stage}: needs one --input {name}=FILE")
        return self.inputs[name][0]

    def output(self, name: str) -> Path:
        """File of an output."""
        if name not in self.outputs:
            raise UserError(f"{self.stage}: needs --output {name}=FILE")
        return self.outputs[name]

    @cached_property
    def checksums(self) -> dict[Path, str]:
        """Those of the inputs that are there."""
        return {f: sha256(f) for files in self.inputs.values() for f in files if f.is_file()}

    def checkpoint_file(self) -> Path:
        """File for unfinished work, named after everything that the result depends on."""
        inputs = [
            f"{name}={self.checksums[f]}" for name, files in self.inputs.items() for f in files
        ]
        outputs = [f"{name}={path}" for name, path in self.outputs.items()]
        key = provenance.key(self.stage, self.config, inputs, outputs)
        return CHECKPOINTS / f"{key}.pt"
