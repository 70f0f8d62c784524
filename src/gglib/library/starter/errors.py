"""What can go wrong on the way to a starter model."""

from gglib.core.errors import ErrorSource, GglibError


class StarterError(GglibError):
    """The starter model could not be fetched; nothing of the attempt is left behind."""

    code = "starter_failed"
    source = ErrorSource.OPERATOR
    is_retryable = True
