"""Traces from a batch of raw lines to its plan, shipped by OTLP where an endpoint is set."""
