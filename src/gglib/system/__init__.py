"""This machine's files, as the adapters need them. Knows the core only."""
