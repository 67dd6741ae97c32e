"""The stages of a turn, one a file: a slice of the state in, a patch out."""
