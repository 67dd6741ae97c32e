"""What a turn is: its state, requests, usage, events, errors. Plain data, no I/O."""
