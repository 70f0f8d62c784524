"""Tries gglib's units with a real systemd, in namespaces of its own: ``python -m scripts.try_systemd``."""
