"""Pulls a model for a user or a program: prompts, progress, results."""
