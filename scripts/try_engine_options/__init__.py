"""Tries each engine option for real and writes what it did (``python -m scripts.try_engine_options``)."""
