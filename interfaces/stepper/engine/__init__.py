"""The stepper without a view: moving, editing, forking, comparing."""
