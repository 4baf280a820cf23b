"""Recorded callout traces: what a driver's own log says, read and checked against the model."""
