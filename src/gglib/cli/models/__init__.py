"""What the commands do with models of this home: add, name, change, pin."""
