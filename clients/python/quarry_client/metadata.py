"""Metadata of vector collections: the client class and helpers of the seed, against Quarry's catalog.

Rows are dicts with the columns of the seed's tables; times are ISO 8601 texts. A failure raises
QuarryError. Thread-safe.
"""

from .http import HttpClient, QuarryError, quoted
from .settings import catalog_url, token

PAGE = 1000


class MilvusMetadataClient:
    def __init__(self, host=None, port=None, database=None, user=None, password=None,
                 min_connections=1, max_connections=5, *, url=None, auth_token=None, timeout=30.0):
        """Without arguments: from the environment, see settings.py. What belongs to PostgreSQL
        (database, user, password, connections) is accepted and of no effect: Quarry knows its
        callers by a token (`auth_token`, QUARRY_TOKEN)."""
        del database, user, password, min_connections, max_connections
        self._http = HttpClient(url or catalog_url(host, port), auth_token or token(), timeout)

    def close(self):
        self._http.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _row_or_none(self, path):
        try:
            return self._http.call("GET", path)
        except QuarryError as error:
            if error.status == 404:
                return None
            raise

    # --- users ---

    def create_user(self, username, email, password_hash, role="user"):
        return self._http.call("POST", "/users", {"username": username, "email": email,
                                                  "password_hash": password_hash, "role": role})

    def get_user(self, user_id=None, username=None):
        if user_id is None and username is None:
            raise ValueError("either user_id or username is needed")
        return self._row_or_none("/users/" + quoted(user_id if user_id is not None else username))

    def list_users(self):
        return list(self._http.pages("/users", "users", {"limit": PAGE}))

    def update_user_last_login(self, user_id):
        self._http.call("POST", f"/users/{quoted(user_id)}/last-login")

    # --- collections ---

    def create_collection(self, collection_name=None, dimension=None, metric_type=None,
                          description=None, created_by=None, metadata=None, *, name=None,
                          index_type=None, partition_key=None):
        return self._http.call("POST", "/collections", {
            "collection_name": name if collection_name is None else collection_name,
            "dimension": dimension, "metric_type": metric_type, "description": description,
            "created_by": created_by, "metadata": metadata, "index_type": index_type,
            "partition_key": partition_key})

    def get_collection(self, collection_id=None, collection_name=None):
        if collection_id is None and collection_name is None:
            raise ValueError("either collection_id or collection_name is needed")
        wanted = collection_id if collection_id is not None else collection_name
        return self._row_or_none("/collections/" + quoted(wanted))

    def list_collections(self, status="active"):
        return list(self._http.pages("/collections", "collections",
                                     {"status": status, "limit": PAGE}))

    def update_collection(self, collection_id, **fields):
        """description, index_type, partition_key, status (with reason where the step needs one),
        metadata."""
        allowed = {"description", "index_type", "partition_key", "status", "reason", "metadata"}
        if not fields or set(fields) - allowed:
            raise ValueError(f"give some of {', '.join(sorted(allowed))}")
        return self._http.call("PATCH", "/collections/" + quoted(collection_id), fields)

    def delete_collection(self, collection_id):
        self._http.call("DELETE", "/collections/" + quoted(collection_id))

    # --- partitions, indexes, ingestion ---

    def create_partition(self, collection_id, partition_name, description=None):
        return self._http.call("POST", f"/collections/{quoted(collection_id)}/partitions",
                               {"partition_name": partition_name, "description": description})

    def list_partitions(self, collection_id):
        return list(self._http.pages(f"/collections/{quoted(collection_id)}/partitions",
                                     "partitions"))

    def delete_partition(self, collection_id, partition_name):
        self._http.call("DELETE", f"/collections/{quoted(collection_id)}/partitions/"
                                  f"{quoted(partition_name)}")

    def create_index(self, collection_id, index_name, index_type, index_params=None):
        return self._http.call("POST", f"/collections/{quoted(collection_id)}/indexes",
                               {"index_name": index_name, "index_type": index_type,
                                "index_params": index_params})

    def update_index(self, collection_id, index_name, status=None, progress_percentage=None,
                     error_message=None):
        return self._http.call("PATCH", f"/collections/{quoted(collection_id)}/indexes/"
                                        f"{quoted(index_name)}",
                               {"status": status, "progress_percentage": progress_percentage,
                                "error_message": error_message})

    def list_indexes(self, collection_id):
        return list(self._http.pages(f"/collections/{quoted(collection_id)}/indexes", "indexes"))

    def delete_index(self, collection_id, index_name):
        self._http.call("DELETE", f"/collections/{quoted(collection_id)}/indexes/"
                                  f"{quoted(index_name)}")

    def start_ingestion(self, collection_id, records_count=0, user_id=None, batch_id=None,
                        file_size_bytes=None, source_type=None, status="processing",
                        metadata=None):
        return self._http.call("POST", f"/collections/{quoted(collection_id)}/ingestions", {
            "records_count": records_count, "user_id": user_id, "batch_id": batch_id,
            "file_size_bytes": file_size_bytes, "source_type": source_type, "status": status,
            "metadata": metadata})

    def update_ingestion(self, collection_id, ingestion_id, status=None, records_count=None,
                         file_size_bytes=None, error_message=None):
        return self._http.call("PATCH", f"/collections/{quoted(collection_id)}/ingestions/"
                                        f"{quoted(ingestion_id)}",
                               {"status": status, "records_count": records_count,
                                "file_size_bytes": file_size_bytes,
                                "error_message": error_message})

    def finish_ingestion(self, collection_id, ingestion_id, records_count=None,
                         error_message=None):
        """Completed, or failed when there is an error message."""
        return self.update_ingestion(collection_id, ingestion_id,
                                     "failed" if error_message else "completed", records_count,
                                     error_message=error_message)

    def list_ingestions(self, collection_id, status=None):
        return list(self._http.pages(f"/collections/{quoted(collection_id)}/ingestions",
                                     "ingestions", {"status": status, "limit": PAGE}))

    # --- permissions ---

    def grant_permission(self, user_id, collection_id, permission_type, granted_by=None,
                         expires_at=None):
        if hasattr(expires_at, "isoformat"):
            expires_at = expires_at.isoformat()
        return self._http.call("POST", f"/collections/{quoted(collection_id)}/permissions",
                               {"user_id": user_id, "permission_type": permission_type,
                                "granted_by": granted_by, "expires_at": expires_at})

    def check_permission(self, user_id, collection_id, permission_type):
        return self._http.call("GET", f"/collections/{quoted(collection_id)}/permissions/check",
                               query={"user_id": user_id,
                                      "permission_type": permission_type})["allowed"]

    def revoke_permission(self, user_id, collection_id, permission_type):
        self._http.call("DELETE", f"/collections/{quoted(collection_id)}/permissions",
                        query={"user_id": user_id, "permission_type": permission_type})

    def list_permissions(self, collection_id):
        return list(self._http.pages(f"/collections/{quoted(collection_id)}/permissions",
                                     "permissions"))

    # --- logs ---

    def log_audit_event(self, user_id, action, resource_type, resource_id=None, details=None,
                        ip_address=None, user_agent=None):
        return self._http.call("POST", "/audit-logs", {
            "user_id": user_id, "action": action, "resource_type": resource_type,
            "resource_id": resource_id, "details": details, "ip_address": ip_address,
            "user_agent": user_agent})

    def get_audit_logs(self, user_id=None, action=None, resource_type=None, limit=100):
        return self._some("/audit-logs", "audit_logs", limit, {
            "user_id": user_id, "action": action, "resource_type": resource_type})

    def log_performance_metric(self, collection_id, operation_type, duration_ms, success,
                               operation_id=None, error_message=None, metadata=None):
        return self._http.call("POST", "/performance-metrics", {
            "collection_id": collection_id, "operation_type": operation_type,
            "duration_ms": duration_ms, "success": success, "operation_id": operation_id,
            "error_message": error_message, "metadata": metadata})

    def get_performance_metrics(self, collection_id=None, limit=100):
        return self._some("/performance-metrics", "performance_metrics", limit,
                          {"collection_id": collection_id})

    def get_performance_stats(self, collection_id=None, days=7):
        """One dict for each operation type."""
        return self._http.call("GET", "/performance-stats", query={
            "collection_id": collection_id, "days": days})["operations"]

    def log_query(self, user_id, collection_id, query_type, duration_ms, success, top_k=None,
                  query_vector_dimension=None, search_params=None, result_count=None,
                  error_message=None, *, with_metric=None):
        return self._http.call("POST", "/query-logs", {
            "user_id": user_id, "collection_id": collection_id, "query_type": query_type,
            "duration_ms": duration_ms, "success": success, "top_k": top_k,
            "query_vector_dimension": query_vector_dimension, "search_params": search_params,
            "result_count": result_count, "error_message": error_message,
            "with_metric": with_metric})

    def get_query_logs(self, collection_id=None, user_id=None, limit=100):
        return self._some("/query-logs", "query_logs", limit,
                          {"collection_id": collection_id, "user_id": user_id})

    def get_collection_stats(self, collection_id=None):
        return list(self._http.pages("/collection-stats", "collections",
                                     {"collection_id": collection_id}))

    def apply_retention(self, days=None):
        """Deletes old log entries; gives {"days", "before", "deleted"}."""
        return self._http.call("POST", "/retention", {"days": days} if days else None)

    def _some(self, path, name, limit, query):
        rows = []
        query = dict(query, limit=min(limit, PAGE))
        for row in self._http.pages(path, name, query):
            rows.append(row)
            if len(rows) >= limit:
                break
        return rows

    # --- configuration ---

    def get_config(self, config_key):
        """The value as text; None when there is no such setting."""
        row = self.get_config_row(config_key)
        return row and row["value"]

    def get_config_row(self, config_key):
        """key, value, type, is_encrypted, description, ...; or None."""
        return self._row_or_none("/config/" + quoted(config_key))

    def list_config(self):
        return list(self._http.pages("/config", "config", {"limit": PAGE}))

    def set_config(self, config_key, config_value, config_type="string", description=None, *,
                   is_encrypted=None):
        if isinstance(config_value, bool):
            config_value = "true" if config_value else "false"
        return self._http.call("PUT", "/config/" + quoted(config_key), {
            "value": str(config_value), "type": config_type, "description": description,
            "is_encrypted": is_encrypted})


def create_milvus_collection(client, collection_name, dimension, metric_type, user_id,
                             description=None):
    """The collection, an admin grant for the user, an entry in the audit log."""
    collection = client.create_collection(collection_name=collection_name, dimension=dimension,
                                          metric_type=metric_type, description=description,
                                          created_by=user_id)
    client.grant_permission(user_id, collection["id"], "admin", granted_by=user_id)
    client.log_audit_event(user_id, "create_collection", "collection", collection["id"],
                           {"collection_name": collection_name, "dimension": dimension,
                            "metric_type": metric_type})
    return collection


def log_vector_search(client, user_id, collection_id, query_vector_dimension, top_k, duration_ms,
                      success, result_count=None, search_params=None, error_message=None):
    """One row of query_logs and one of performance_metrics, in one commit: it counts once."""
    return client.log_query(user_id, collection_id, "vector_search", duration_ms, success, top_k,
                            query_vector_dimension, search_params, result_count, error_message,
                            with_metric=True)
