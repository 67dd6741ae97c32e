"""The widget's script, for notebooks and the studio; it needs no build step."""
