"""``nenni check``: check a config file and its names."""

import argparse
from pathlib import Path
from typing import Any

from nenni.cli import arguments
from nenni.core.errors import UserError


def add(commands: Any) -> None:
    """Add the command's arguments."""
    parser = arguments.command(
        commands,
        "check",
        "check a config file and its names",
        "example: nenni check config/cifar10_cpu.yaml",
    )
    parser.add_argument("config", type=Path, help="YAML, as config/config.yaml")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Run the command."""
    from nenni.run.config_file import load_claims, load_config, refuse
    from nenni.run.layer_contradictions import layer_contradictions
    from nenni.run.plan import Files, Plan

    config = load_config(parsed.config)
    refuse(parsed.config, layer_contradictions(config))
    file = parsed.config.with_name("claims.yaml")
    if file.exists():
        load_claims(file)
    if missing := Files(Plan(config)).missing():
        raise UserError("\n".join(f"{parsed.config}: {message}" for message in missing))
    print(f"{parsed.config}: run '{config.run}' is well-formed")  # noqa: T201
