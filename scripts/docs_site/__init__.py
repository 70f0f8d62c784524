"""Builds the documentation site: pages made from the code, and links that lead out of ``docs/``."""
