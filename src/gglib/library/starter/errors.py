"""Errors of the starter model's download."""

from gglib.core.errors import ErrorSource, GglibError


class StarterError(GglibError):
    """The starter model could not be downloaded; no partial files are left."""

    code = "starter_failed"
    source = ErrorSource.OPERATOR
    is_retryable = True
