"""Checks of the files that deploy; a package, so that its conftest shadows no other."""
