"""Clients of Quarry's catalog; standard library only."""

from .http import QuarryError
from .metadata import MilvusMetadataClient, create_milvus_collection, log_vector_search
from .registry import RegistryClient

__all__ = ["MilvusMetadataClient", "QuarryError", "RegistryClient", "create_milvus_collection",
           "log_vector_search"]
