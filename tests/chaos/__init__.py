"""Faults drawn from a seed against real Kafka, real Redis and workers under load."""
