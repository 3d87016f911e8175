"""Conditions: CEL (Common Expression Language), parsed by cel-python and compiled to closures.

Why not a ready evaluator. That of cel-python takes about 180 us for `properties.amount >= 5000`
(half of it to convert the event), refuses integers beyond 64 bits, and has `true == 1` be true and
`[1] == [1.0]` an error. The Rust binding `common-expression-language` judges nearly all as CEL
does, but converts the whole event each time (40 to 110 us), and its panics are no Exception.
Closures over the event's own dicts take 0.2 to 1 us and say exactly what the contract says.
"""
