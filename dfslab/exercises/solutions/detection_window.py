"""The earliest and the latest moment at which a crash can be noticed."""


def detection_window(interval_s, timeout_s, delay_s, look_s):
    heard_at_the_earliest_s = -interval_s + delay_s  # after the crash: the next heartbeat was just about to be sent
    heard_at_the_latest_s = delay_s  # it had just been sent
    return heard_at_the_earliest_s + timeout_s, heard_at_the_latest_s + timeout_s + look_s


SOLUTION = detection_window
