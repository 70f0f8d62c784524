"""The front: the catalogue and the runtime of a gglib with nodes, over its own and theirs."""
