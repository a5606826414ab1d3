"""The central catalogue, a service of its own: every product's promise, fed by the products.

It imports `mesh` and is imported by nothing. Not here: the policies, which are pure functions of
`mesh.contract`, so that a product is checked without a catalogue too.
"""
