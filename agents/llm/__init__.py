"""Servers of language models behind one small protocol."""
