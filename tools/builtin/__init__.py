"""The functions that come with turngraph."""
