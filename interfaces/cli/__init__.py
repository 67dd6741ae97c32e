"""The command line `turngraph`: `app.py` registers the commands that `commands/` holds."""
