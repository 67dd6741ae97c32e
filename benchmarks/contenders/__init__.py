"""Who is compared: a file for each, and in it a function from a `Setting` to something that runs
turns. Each runs in a process of its own, and imports nothing of the others.
"""
