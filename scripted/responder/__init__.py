"""What the scripted model answers when no script says so."""
