"""Nodes as processes of their own: killed with SIGKILL, paused with SIGSTOP, never left behind.

`launcher.py` makes them, `process.py` is one as its parent sees it, `child.py` is what runs in it, and
`feed.py` takes in what all of them tell. Parent and child speak lines of JSON over two pipes.
"""
