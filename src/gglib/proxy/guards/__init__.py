"""Request bodies that an engine would misread, or that would hold it up."""
