"""Declarative plugins, connections and secrets: YAML or JSON that people already have, read
strictly.
"""
