"""`python -m gateway` is the command `tradelane`."""

from gateway.cli import main

main(prog_name="tradelane")
