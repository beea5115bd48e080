"""The command line: every stage of the workflow, and a few commands for people."""

import argparse
import ast
import json
import os
import sys
from pathlib import Path

from nenni.cli import bench, evaluate
from nenni.core.errors import USER_MISTAKE, UserError

_STAGES = Path(__file__).parents[1] / "run" / "stages"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed) or 0)
    except UserError as error:
        for line in str(error).splitlines():
            print(f"nenni: {line}", file=sys.stderr)  # noqa: T201
        return USER_MISTAKE
    except KeyboardInterrupt:
        print("nenni: interrupted; the same command continues", file=sys.stderr)  # noqa: T201
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "nenni",
        description="Non-Essential Neuron Noise Injection: the stages of its workflow, and checks.",
        epilog="Snakemake calls the stages: `snakemake -n` lists the jobs, `snakemake` runs them.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in sorted(file.stem for file in _STAGES.glob("*.py") if file.stem != "__init__"):
        about = ast.get_docstring(ast.parse((_STAGES / f"{name}.py").read_text())) or ""
        stage = commands.add_parser(
            name, help=f"stage: {about.splitlines()[0]}", description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        stage.add_argument("--config", metavar="JSON", required=True, help="slice of the config")
        stage.add_argument("--input", metavar="NAME=FILE", nargs="*", default=[], type=_pair)
        stage.add_argument("--output", metavar="NAME=FILE", nargs="+", required=True, type=_pair)
        stage.add_argument("--manifest", type=Path, help="where to write the outputs' checksums")
        stage.set_defaults(run=_run_stage, stage=name)
    evaluate.add(commands)
    bench.add(commands)
    check = commands.add_parser("check", help="check a config file and its names")
    check.add_argument("config", type=Path)
    check.set_defaults(run=_check)
    verify = commands.add_parser("verify", help="find damaged or missing files of a run")
    verify.add_argument("results", type=Path, nargs="+", help="folders such as results/mnist5k")
    verify.set_defaults(run=_verify)
    stamp = commands.add_parser("stamp", help="write the checksums of files")
    stamp.add_argument("manifest", type=Path)
    stamp.add_argument("files", type=Path, nargs="+")
    stamp.set_defaults(run=_stamp)
    show = commands.add_parser("show", help="print the main table of a run and where the rest is")
    show.add_argument("--config", type=Path, default=Path("config/config.yaml"))
    show.set_defaults(run=_show)
    unlock = commands.add_parser(
        "unlock", help="remove the lock of a snakemake that was killed on this machine"
    )
    unlock.set_defaults(run=_unlock)
    return parser


def _pair(text: str) -> tuple[str, Path]:
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise argparse.ArgumentTypeError(f"should be NAME=FILE, got {text!r}")
    return name, Path(file)


def _run_stage(parsed: argparse.Namespace) -> int:
    try:
        config = json.loads(parsed.config)
    except ValueError as error:
        raise UserError(
            f"{parsed.stage}: --config should be a slice of a config as JSON"
        ) from error
    if "threads" in config:
        for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[variable] = str(config["threads"])
    if config.get("processes", 1) > 1 and "RANK" not in os.environ:
        from nenni.training.launch import launch

        return launch(config["processes"])
    from importlib import import_module

    from nenni.core import plugins
    from nenni.core.io import write_manifest
    from nenni.run.job import Job

    for folder in config.get("plugins", ()):
        plugins.use(folder)
    inputs: dict[str, list[Path]] = {}
    for name, file in parsed.input:
        inputs.setdefault(name, []).append(file)
    job = Job(parsed.stage, config, inputs, dict(parsed.output))
    summary = import_module(f"nenni.run.stages.{parsed.stage}").run(job)
    if os.environ.get("RANK", "0") != "0":
        return 0
    if parsed.manifest:
        kept = [file for file in job.outputs.values() if file.parts[0] == parsed.manifest.parts[0]]
        write_manifest(parsed.manifest, kept)
    named = parsed.manifest.with_suffix("").parts[3:] if parsed.manifest else ()
    rest = "/".join(named[named[:1] in {(parsed.stage,), ("tables",), ("figures",)} :])
    label = parsed.stage if rest in ("", parsed.stage) else f"{parsed.stage} {rest}"
    print(f"{label}: {summary}", flush=True)  # noqa: T201
    return 0


def _check(parsed: argparse.Namespace) -> None:
    from nenni.run.config_file import load_claims, load_config
    from nenni.run.plan import Files, Plan

    config = load_config(parsed.config)
    file = parsed.config.with_name("claims.yaml")
    if file.exists():
        load_claims(file, config)
    if missing := Files(Plan(config)).missing():
        raise UserError("\n".join(f"{parsed.config}: {message}" for message in missing))
    print(f"{parsed.config}: run '{config.run}' is well-formed")  # noqa: T201


def _verify(parsed: argparse.Namespace) -> int:
    from nenni.core.io import check_manifest

    problems, seen = [], 0
    for folder in parsed.results:
        manifests = sorted(folder.glob("manifests/**/*.sha256"))
        if not manifests:
            raise UserError(f"{folder}: holds no manifests; is it the folder of a run?")
        for manifest in manifests:
            problems += check_manifest(manifest)
            seen += 1
    for problem in problems:
        print(problem)  # noqa: T201
    if not problems:
        print(f"{seen} manifests: all files are as they were written")  # noqa: T201
    return 1 if problems else 0


def _stamp(parsed: argparse.Namespace) -> None:
    from nenni.core.io import write_manifest

    write_manifest(parsed.manifest, parsed.files)


def _show(parsed: argparse.Namespace) -> None:
    from nenni.core.io import read_csv
    from nenni.results.main_table import LEGEND, display
    from nenni.run.config_file import load_config

    run = load_config(parsed.config).run
    results = Path("results") / run
    table = read_csv(results / "tables" / "main.csv")
    titles = [c.removesuffix("_low") for c in table.columns if c.endswith("_low")]
    shown = display(table, [title for title in titles if title != "clean"])
    print(shown.to_string(index=False))  # noqa: T201
    print(  # noqa: T201
        "\n".join(("", *LEGEND)) + "\n"
        f"\ntables    {results / 'tables'}, claims.csv among them"
        f"\nfigures   {results / 'figures'}"
        f"\ntimes     {Path('benchmarks') / run}"
        "\nreport    report.html, where it was asked for",
    )


def _unlock(parsed: argparse.Namespace) -> None:
    from nenni.run.locks import remove_dead_lock

    if message := remove_dead_lock(Path(".snakemake")):
        print(message)  # noqa: T201
