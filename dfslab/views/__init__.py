"""Tables and pictures of a cluster: functions of its trace and of snapshots folded from it.

Nothing here talks to a server, so a saved trace shows the same as a running cluster. pandas and
matplotlib are imported with these modules; the rest of the package imports them only when asked for
a table or a picture.
"""
