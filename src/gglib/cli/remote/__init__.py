"""Commands for a server on another machine: ``--url`` and ``GGLIB_HOST``."""
