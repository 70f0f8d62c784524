"""Reads the configuration of llama-swap. Pure."""
