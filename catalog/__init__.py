"""The central catalogue: a service of its own, not built yet; nothing imports this package."""
