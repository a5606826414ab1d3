"""Tests of whole commands, as a person types them."""
