"""Stands in for a package that JupyterLab brings along, in every process that a test starts.

`jsonschema` imports it where it is installed, and it then parses a grammar for more than a second:
https://github.com/python-jsonschema/jsonschema/issues/1428. A plain installation does not have it.
"""

raise ImportError("not installed, as far as the tests are concerned")
