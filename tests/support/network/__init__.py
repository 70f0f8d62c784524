"""Hosts with networks of their own, for tests with several machines."""
