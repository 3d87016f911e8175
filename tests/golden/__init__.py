"""Bytes of every kind of record and of stored state, of each version of their format.

`records-1/` and `state-1/` hold them (`.bin`), each with what it decodes to (`.json`). They are
made by `python -m tests.golden.make`, never again once their version was released.

When a test here fails after a change of the domain, the bytes on disk changed:
- not released yet: run `python -m tests.golden.make`;
- released: raise VERSION in `wire/records.py` or `wire/state.py`, read the old version there too,
  run `python -m tests.golden.make` for the new one, and keep the old files.
"""
