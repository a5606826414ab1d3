"""Tests against a real Kafka and registry."""
