"""`python -m idhray STAGE ...`, for where the command itself is not on the path."""

from idhray.cli import main

main()
