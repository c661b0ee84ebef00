"""toolflow-graph: natural, coherent multi-turn tool-calling dialogues from a catalog of tools."""
