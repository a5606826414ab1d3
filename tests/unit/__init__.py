"""Tests without a network or a broker; they take seconds."""
