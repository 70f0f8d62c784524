"""Saves the prompts in an engine's slots to files at its stop, and restores them at its next start."""
