"""The Responses API: a turn that is stored, continued, cancelled, and run in the background."""
