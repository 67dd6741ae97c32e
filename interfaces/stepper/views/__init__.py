"""What the stepper shows: the notebook widget, the page, the charts."""
