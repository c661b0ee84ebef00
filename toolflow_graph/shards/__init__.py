"""A published data set: a folder of shards, here or in an object store, and an index that says which of them count."""

from toolflow_graph.shards.folder import INDEX, Encoding, Shard, ShardFolder, ShardIndex, is_shards, is_url

__all__ = ["INDEX", "Encoding", "Shard", "ShardFolder", "ShardIndex", "is_shards", "is_url"]
