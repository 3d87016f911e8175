"""The rules as pure functions over values: no clock, no I/O, standard library only.

Times are integers, milliseconds since 1970 in UTC. An *entity* (device, person, address, case,
directory) is owned by one partition and changes only by the messages it takes; what it tells the
others and the world it returns as values.
"""
