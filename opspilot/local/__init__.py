"""A real Kafka and the worker processes of one stack, on this machine and without Docker."""
