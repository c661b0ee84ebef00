"""A page on which a person rates dialogues, or compares those of two runs blind, served on this machine only."""

from toolflow_graph.report.rating.server import RatingServer
from toolflow_graph.report.rating.session import Session, open_session

__all__ = ["RatingServer", "Session", "open_session"]
