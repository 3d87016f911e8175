"""The production processes against a simulated Kafka, Redis, network and clock, from one seed."""
