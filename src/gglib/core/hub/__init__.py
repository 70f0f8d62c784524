"""Values of a model hub: repositories, their files, the variants of a model, search results and downloads."""
