"""Where people meet a turn: the command line, and what else looks at it from outside."""
