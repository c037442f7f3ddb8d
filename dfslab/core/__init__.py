"""Every decision of the file system, as pure functions and plain objects.

Nothing in this package reads a clock, opens a socket or a file, starts a thread or draws an
unseeded random number: the caller hands in events, the time and a `random.Random`, and gets
instructions back. The runtime carries them out on real servers; a simulator can carry out the
same ones under a virtual clock.
"""
