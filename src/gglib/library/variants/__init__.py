"""The variants in a repository, the one that a user names, and the one that is chosen. Pure."""
