"""The command line: what people call, and the stages of the workflow."""

import argparse
import sys

from nenni.cli import (
    bench,
    check,
    describe,
    diagnose,
    evaluate,
    inject,
    show,
    stage,
    stamp,
    unlock,
    verify,
)
from nenni.core.errors import USER_MISTAKE, UserError
from nenni.core.plugins import use_plugins

COMMANDS = (
    inject, evaluate, diagnose, describe, bench, check, show, verify, stamp, unlock, stage,
)  # fmt: skip


def main(words: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parsed = _parse(words)
    try:
        for folder in getattr(parsed, "plugins", ()):
            use_plugins(folder)
        return int(parsed.run(parsed) or 0)
    except UserError as error:
        for line in str(error).splitlines():
            print(f"nenni: {line}", file=sys.stderr)  # noqa: T201
        return USER_MISTAKE
    except KeyboardInterrupt:
        print("nenni: interrupted; the same command continues", file=sys.stderr)  # noqa: T201
        return 130


def _parse(words: list[str] | None) -> argparse.Namespace:
    """The arguments, and the `words` that they were read from."""
    parser = argparse.ArgumentParser(
        "nenni",
        description="Non-Essential Neuron Noise Injection: inject, attack and count a network.",
        epilog="`nenni COMMAND --help` has examples.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    parsed, rest = parser.parse_known_args(words)
    if len(rest) == 1 and not rest[0].startswith("-") and getattr(parsed, "file", "") is None:
        parsed.file = rest.pop()  # argparse finds an optional FILE only before the options
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    parsed.words = sys.argv[1:] if words is None else words
    return parsed
