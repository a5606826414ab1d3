"""The world outside the mesh: a simulated telecom company with known truth, and its systems."""

from company.systems import plugin

__all__ = ["plugin"]
