"""The data products, one package each; they meet on the bus, never in each other's code."""
