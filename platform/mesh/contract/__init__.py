"""What a product promises: contracts, descriptors, types, rules, identifiers, policies.

Pure: nothing in this package opens a connection, so a product can be checked anywhere.
"""
