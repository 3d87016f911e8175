"""Segment events in, consented journey triggers out."""
