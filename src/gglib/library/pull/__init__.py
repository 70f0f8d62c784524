"""Pulls a model: plans, downloads, verifies and installs it."""
