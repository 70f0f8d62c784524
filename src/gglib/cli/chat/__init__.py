"""A conversation with a model in the terminal: ``gglib run``, and the proof of ``gglib up``."""
