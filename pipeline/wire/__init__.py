"""Bytes become values here, once, and values become bytes."""
