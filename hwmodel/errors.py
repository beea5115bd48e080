"""The error that a user can mend."""


class UserError(ValueError):
    """A mistake in an input or an argument; the message says where, in one line."""
