"""Finds the variants in a repository, parses pull targets, and chooses a variant. Pure."""
