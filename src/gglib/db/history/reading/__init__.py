"""Reads the history: searches, single requests, bodies, and usage."""
