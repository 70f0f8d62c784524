"""Parts of ``gglib key``: how a running server applies changed keys, and the limits of a key."""
