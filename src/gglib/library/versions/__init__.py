"""Versions of models on the disk: their layout, publishing, ownership checks and deletion.

Imports the core and ``gglib.system`` only: the catalogue's records are passed in as values of ``core.versions``, or
through its port.
"""
