"""Versions of models on the disk: where they lie, how they get there, whether they are still ours, how they go.

Knows the core and ``gglib.system`` only: what the catalogue knows is passed in as values of ``core.versions``, or
through its port.
"""
