"""Tool catalogs: reading them from files and other sources, and what is known about their slots."""

from toolflow_graph.catalog.reading import Catalog, Reading, Skipped
from toolflow_graph.catalog.slots import SchemaSlot, iterate_slots
from toolflow_graph.catalog.sources import load_catalog, read_source

__all__ = ["Catalog", "Reading", "SchemaSlot", "Skipped", "iterate_slots", "load_catalog", "read_source"]
