"""The rulebook folder: loading, checking, conditions."""
