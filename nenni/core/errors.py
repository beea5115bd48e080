"""The one exception whose message is meant for the person at the keyboard."""

from collections.abc import Iterable

USER_MISTAKE = 2
"""Exit status after one."""
_LONGEST = 120
"""Characters of a value in a message."""


class UserError(Exception):
    """A mistake that its message explains: which file, which key, what to do.

    The command line prints the message without a traceback and exits with status 2.
    """


def refusal(where: str, problems: Iterable[tuple[tuple[int | str, ...], str]]) -> UserError:
    """One line per problem: `where`, the place within it if there is one, and what is wrong."""
    told = ((where, ".".join(map(on_a_line, place)), said) for place, said in problems)
    return UserError("\n".join(": ".join(filter(None, line)) for line in told))


def brief(value: object) -> str:
    """A value as Python writes it, on one line, its middle left out where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 23]}...{text[-20:]}"


def on_a_line(value: object) -> str:
    """A value in words as it is, if that can be printed on a line; as Python writes it if not."""
    text = str(value)
    return text if text.isprintable() and len(text) <= _LONGEST else brief(text)


def unnameable(error: UnicodeEncodeError) -> str:
    """What to do about a name that the session's encoding has no letters for."""
    return (
        f"{error.object!a}: cannot be written in this session's encoding ({error.encoding}); "
        "rename it, or set PYTHONUTF8=1"
    )


def last_line(error: Exception) -> str:
    """The kind of an error and what it says, on one line.

    Of one in a worker process, whose message is a traceback, what that ends with.
    """
    told = str(error).strip()
    if "Traceback (most recent call last)" in told:
        return told.splitlines()[-1].strip()
    kind = type(error).__name__
    return kind if not told else f"{kind}: {in_a_line(error)}"


def in_a_line(error: Exception) -> str:
    """What an error says, on one line; its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
