"""The choice of a node compared with other rules, in virtual time."""
