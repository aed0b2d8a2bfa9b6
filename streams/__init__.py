"""How it moves: settings, Kafka clients, accounting, and the hop that turns lines into digests."""
