"""What can go wrong when a part is started, each said in one line."""


class LocalError(Exception):
    """A part could not be started: what, where, and what to do, in one line."""


class MissingError(LocalError):
    """A prerequisite of one way to start a part is missing; the next way may do."""
