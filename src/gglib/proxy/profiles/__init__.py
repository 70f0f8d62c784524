"""Profiles: their defaults applied to requests, their checks, and their administration."""
