"""Compares rules for which models stay in memory: models with sizes on a machine with a budget, in virtual time."""
