"""A server in the foreground, for ``gglib serve`` and ``gglib up``: signals, logs, messages, the smoke test."""
