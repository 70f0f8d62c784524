"""Nodes by address: other gglibs, each with a URL and a key. Works on every system, without further packages."""
