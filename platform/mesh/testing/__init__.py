"""What tests of products need: a real Kafka and registry, and a project of their own on it.

For whoever writes a product: see `docs/testing.md`. Nothing of the mesh imports this.
"""

from mesh.testing.backbone import Backbone, embedded, external
from mesh.testing.workbench import Workbench, open_workbench

__all__ = ["Backbone", "Workbench", "embedded", "external", "open_workbench"]
