"""The one exception whose message is meant for the person at the keyboard."""

USER_MISTAKE = 2
"""Exit status after one."""


class UserError(Exception):
    """A mistake that its message explains: which file, which key, what to do.

    The command line prints the message without a traceback and exits with status 2.
    """
