"""``nenni stage``: one job of the workflow, as Snakemake calls it."""

import argparse
import ast
import json
import os
from pathlib import Path
from typing import Any

from nenni.core.errors import UserError
from nenni.core.instruction_set import AUTO, use_instruction_set
from nenni.run.layout import Layout

_STAGES = Path(__file__).parents[1] / "run" / "stages"


def add(commands: Any) -> None:
    """Add the stages and what they take."""
    stage = commands.add_parser(
        "stage",
        help="one job of the workflow, as Snakemake calls it",
        description="Run one job of the workflow; `snakemake` calls them in turn.",
    )
    stages = stage.add_subparsers(metavar="NAME", required=True)
    for name in sorted(file.stem for file in _STAGES.glob("*.py") if file.stem != "__init__"):
        source = (_STAGES / f"{name}.py").read_text(encoding="utf-8")
        about = ast.get_docstring(ast.parse(source)) or ""
        parser = stages.add_parser(
            name, help=about.splitlines()[0], description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        parser.add_argument("--config", metavar="JSON", required=True, help="slice of the config")
        parser.add_argument("--input", metavar="NAME=FILE", nargs="*", default=[], type=_pair)
        parser.add_argument("--output", metavar="NAME=FILE", nargs="+", required=True, type=_pair)
        parser.add_argument("--manifest", type=Path, help="where to write the outputs' checksums")
        parser.set_defaults(run=run, stage=name)


def run(parsed: argparse.Namespace) -> int:
    """Run a stage, in several processes where its config says so."""
    try:
        config = json.loads(parsed.config)
    except ValueError as error:
        raise UserError(
            f"{parsed.stage}: --config should be a slice of a config as JSON"
        ) from error
    if "threads" in config:
        for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[variable] = str(config["threads"])
    use_instruction_set(config.get("instruction_set", AUTO))
    if config.get("processes", 1) > 1 and "RANK" not in os.environ:
        from nenni.training.launch import launch

        return launch(config["processes"])
    from importlib import import_module

    from nenni.core import plugins
    from nenni.run import manifests
    from nenni.run.job import Job

    for folder in config.get("plugins", ()):
        plugins.use_plugins(folder)
    inputs: dict[str, list[Path]] = {}
    for name, file in parsed.input:
        inputs.setdefault(name, []).append(file)
    job = Job(parsed.stage, config, inputs, dict(parsed.output))
    if parsed.manifest:
        manifests.check(job.checksums, Layout.folder_of(parsed.manifest))
    summary = import_module(f"nenni.run.stages.{parsed.stage}").run(job)
    if os.environ.get("RANK", "0") != "0":
        return 0
    if parsed.manifest:
        kept = [file for file in job.outputs.values() if file.parts[0] == parsed.manifest.parts[0]]
        manifests.write(parsed.manifest, kept)
    print(f"{_label(parsed.stage, parsed.manifest)}: {summary}", flush=True)  # noqa: T201
    return 0


def _label(stage: str, manifest: Path | None) -> str:
    """A job as its manifest names it, e.g. ``attack at/topk/seed0/pgd``."""
    named = Layout.job_of(manifest) if manifest else ()
    rest = "/".join(named[named[:1] in {(stage,), ("tables",), ("figures",)} :])
    return stage if rest in ("", stage) else f"{stage} {rest}"


def _pair(text: str) -> tuple[str, Path]:
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise argparse.ArgumentTypeError(f"should be NAME=FILE, got {text!r}")
    return name, Path(file)
