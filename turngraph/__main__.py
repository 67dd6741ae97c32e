"""`python -m turngraph`: the command line where the folder of scripts is not on the path."""

from turngraph.interfaces.cli.app import main

if __name__ == "__main__":
    main()
