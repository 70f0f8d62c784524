"""Engines as processes of this machine: launched, watched, logged and ended."""
