"""A small language model on this machine, served to every stage by one process."""
