"""This machine as a part of a Ray cluster: its head, or a node. The front only reads the settings of the cluster."""
