"""Resumable downloads over several connections."""
