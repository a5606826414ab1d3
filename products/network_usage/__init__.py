"""The product network-usage: what the network carried, published by day from files."""
