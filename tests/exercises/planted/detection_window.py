"""Windows in which something is forgotten."""


def no_interval(interval_s, timeout_s, delay_s, look_s):
    return timeout_s + delay_s, timeout_s + delay_s + look_s


def no_look(interval_s, timeout_s, delay_s, look_s):
    return timeout_s - interval_s + delay_s, timeout_s + delay_s


def no_delay(interval_s, timeout_s, delay_s, look_s):
    return timeout_s - interval_s, timeout_s + look_s


def round_trip(interval_s, timeout_s, delay_s, look_s):
    return timeout_s - interval_s + 2 * delay_s, timeout_s + 2 * delay_s + look_s


def from_the_next_heartbeat(interval_s, timeout_s, delay_s, look_s):
    return timeout_s + delay_s, timeout_s + interval_s + delay_s + look_s


def to_be_safe(interval_s, timeout_s, delay_s, look_s):
    return 0.0, 10 * timeout_s


def latest_first(interval_s, timeout_s, delay_s, look_s):
    return timeout_s + delay_s + look_s, timeout_s - interval_s + delay_s


def one_number(interval_s, timeout_s, delay_s, look_s):
    return timeout_s + delay_s


PLANTED = {
    "takes the crash for the last heartbeat": (no_interval, "sooner than your earliest"),
    "has a master that always looks": (no_look, "later than your latest"),
    "has a network without delay": (no_delay, "later than your latest"),
    "counts the delay there and back": (round_trip, "sooner than your earliest"),
    "counts from the heartbeat that is missing": (from_the_next_heartbeat, "sooner than your earliest"),
    "is wide, to be safe": (to_be_safe, "no crash can be noticed as soon as that"),
    "has them the other way round": (latest_first, "the earliest is asked for first"),
    "returns one number": (one_number, "two numbers are asked for"),
}
