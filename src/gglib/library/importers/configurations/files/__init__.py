"""Reads files of configurations: their text, their values with places, and the rules of their fields. Pure."""
