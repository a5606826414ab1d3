"""Drills that need a mesh of their own, since they break it: what dies, and what is then true.

The driver of `mesh drill kills`. What may be tried on a running mesh is in `mesh.control.drills`.
"""
