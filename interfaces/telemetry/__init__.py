"""Turns in OpenTelemetry: spans and metrics. Extra `otel`."""
