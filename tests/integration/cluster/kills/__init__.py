"""Many requests while nodes are killed: each request ends as it should, and each node keeps its promises."""
