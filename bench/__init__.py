"""Measurements, each a ratio against a stated reference; run by hand, never by the tests."""
