"""From raw records to digests: envelopes, event time, multi-line events, redaction, reduction."""
