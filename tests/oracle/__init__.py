"""A slow, global reading of CONTRACT 5 that owes nothing to the product; both are compared."""
