"""Downloading a model: planned, fetched, verified and entered into the catalogue."""
