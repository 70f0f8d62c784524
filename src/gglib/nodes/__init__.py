"""Nodes: other gglibs behind this one. Chooses the node for a request, and knows how each node is."""
