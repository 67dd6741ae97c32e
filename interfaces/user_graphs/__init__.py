"""Graphs of the user's own: found by their names, loaded, given a context, kept from exiting."""
