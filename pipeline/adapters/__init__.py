"""What the ports are made of: Redis, Kafka, memory, clocks, metrics."""
