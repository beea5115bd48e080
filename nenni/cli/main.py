"""The command line: what people call, and the stages of the workflow."""

import argparse
import errno
import io
import os
import sys
import traceback
from contextlib import suppress

from nenni.cli import (
    bench,
    card,
    check,
    compare,
    defend,
    describe,
    diagnose,
    evaluate,
    fingerprint,
    inject,
    show,
    stage,
    stamp,
    unlock,
    verify,
)
from nenni.core.errors import USER_MISTAKE, UserError, unnameable
from nenni.core.instruction_set import AUTO, use_instruction_set
from nenni.core.plugins import use_plugins

COMMANDS = (
    inject, defend, evaluate, diagnose, card, compare, describe, bench, check, show, verify,
    fingerprint, stamp, unlock, stage,
)  # fmt: skip

_BROKEN_PIPE = 128 + 13
"""Status of a program that SIGPIPE ended, as shells tell it."""


def main(words: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    _print_anything()
    parsed = _parse(words)
    try:
        use_instruction_set(getattr(parsed, "instruction_set", AUTO))
        for folder in getattr(parsed, "plugins", ()):
            use_plugins(folder)
        status = int(parsed.run(parsed) or 0)
        sys.stdout.flush()
        return status
    except UserError as error:
        return _mistake(str(error))
    except UnicodeEncodeError as error:
        return _mistake(unnameable(error))
    except SystemExit as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return _mistake(
            f"{where.filename}: line {where.lineno} ended the program (sys.exit); take it away, "
            "nothing was finished"
        )
    except BrokenPipeError:
        _to_nobody()
        return _BROKEN_PIPE
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _to_nobody()
        return _mistake(f"what is printed cannot be written ({error.strerror}); free some space")
    except KeyboardInterrupt:
        print("nenni: interrupted; the same command continues", file=sys.stderr)  # noqa: T201
        return 130


def _mistake(told: str) -> int:
    for line in told.splitlines():
        print(f"nenni: {line}", file=sys.stderr)  # noqa: T201
    return USER_MISTAKE


def _print_anything() -> None:
    """A terminal without UTF-8 shows the letters that it lacks as escapes; no output is one too."""
    if sys.stdout is None:
        sys.stdout = io.StringIO()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _to_nobody() -> None:
    """Whoever read what is printed has gone: what is left goes nowhere, without a complaint."""
    nobody = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError):
        os.dup2(nobody, sys.stdout.fileno())


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
