"""Pure decisions: no Kafka, no clock, no randomness; the same input gives the same answer."""
