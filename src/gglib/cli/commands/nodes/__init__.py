"""Commands for the gglibs of other machines."""
