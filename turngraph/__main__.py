"""`python -m turngraph`: the command line where the folder of scripts is not on the path."""

from turngraph.interfaces.cli.app import main

main()
