"""Servers for tests that behave, and misbehave, as the real ones do: real sockets and processes."""
