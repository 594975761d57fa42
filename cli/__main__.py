"""`python -m cli` is the command `missions`."""

from cli.main import main

main()
