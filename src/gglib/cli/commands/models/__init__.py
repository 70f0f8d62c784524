"""The models of this machine: added, shown, changed, checked and removed."""
