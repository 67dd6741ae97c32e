"""The stepper's views: the notebook widget, the page without a script, the charts."""
