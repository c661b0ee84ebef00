"""Tool catalogs: reading them from files, and what is known about their slots."""

from toolflow_graph.catalog.native import load_catalog
from toolflow_graph.catalog.slots import SchemaSlot, iterate_slots

__all__ = ["SchemaSlot", "iterate_slots", "load_catalog"]
