"""Backs a home up to one file, and restores it: the catalogue, the settings and the request history."""
