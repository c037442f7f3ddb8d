"""`python -m dfslab.cli` is `dfslab`."""

from dfslab.cli.commands import main

main()
