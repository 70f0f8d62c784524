"""The error of a backup or a restore."""

from gglib.core.errors import ErrorSource, GglibError


class BackupError(GglibError):
    """A backup cannot be written, read or restored."""

    code = "backup_error"
    source = ErrorSource.OPERATOR
