"""What the scripted model answers without a script: patterns and rules, no language model."""
