"""Prompts of slots that are kept in files while their engine is not in memory: which ones, and for which launches."""
