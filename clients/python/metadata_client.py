"""The module name of the seed's example programs, which run unchanged with this folder on PYTHONPATH."""

from quarry_client import (MilvusMetadataClient, QuarryError, create_milvus_collection,
                           log_vector_search)

__all__ = ["MilvusMetadataClient", "QuarryError", "create_milvus_collection", "log_vector_search"]
