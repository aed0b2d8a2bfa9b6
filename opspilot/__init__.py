"""The command line and the local stack: the only package that sees all others."""
