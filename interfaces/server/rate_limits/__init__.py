"""Requests and tokens a minute, for each key and account, across all processes of a server."""
