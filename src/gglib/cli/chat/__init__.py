"""Chats with a model: for ``gglib run``, and for the smoke test of ``gglib up``."""
