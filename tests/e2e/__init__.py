"""The whole system on real parts."""
