"""Requests that go to nodes: other gglibs behind this one."""
