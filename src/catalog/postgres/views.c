/* views.c: the seeds' tables (contracts 2.3, 3.1, 3.3, 4.1) as views in the schema "quarry", with
 * the columns that they have on SQLite (sqlite/views.c) in PostgreSQL's own types: times are
 * timestamptz, JSON is jsonb, lists are text[]. Ids are texts. They show all tenants.
 *
 * The tables that the seeds insert into by hand take INSERT. */
#include "catalog/postgres/postgres_int.h"

const char pg_views_graphs[] =
    "CREATE FUNCTION time_of(us bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS"
    " $$SELECT CASE us WHEN 0 THEN NULL ELSE to_timestamp(us / 1000000.0) END$$;"

    "CREATE FUNCTION now_us() RETURNS bigint LANGUAGE sql AS $$SELECT (extract(epoch FROM"
    " clock_timestamp()) * 1000000)::bigint$$;"

    "CREATE FUNCTION key_part(part text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT"
    " replace(replace(part, '%', '%25'), '/', '%2F')$$;"

    "CREATE VIEW graph_registry AS SELECT id, name, nullif(title, '') AS display_name,"
    " nullif(description, '') AS description, namespace AS graph_type, owner AS owner_id,"
    " lifecycle AS status, version, is_public, location AS storage_path,"
    " a.attributes_j->>'metadata_path' AS metadata_path,"
    " coalesce(a.attributes_j->'backup_paths', '[]') AS backup_paths, node_count, edge_count,"
    " hyperedge_count, size_bytes AS file_size_bytes, quarry.time_of(stats_us) AS"
    " last_computed_stats, tags, categories, properties_j AS properties,"
    " coalesce(a.attributes_j->'schema_info', '{}') AS schema_info, quarry.time_of(created_us)"
    " AS created_at, quarry.time_of(updated_us) AS updated_at, quarry.time_of(accessed_us) AS"
    " last_accessed, access_count, tenant AS tenant_id FROM assets AS a WHERE kind = 'graph'"
    " AND deleted_us = 0;"

    "CREATE VIEW graph_permissions AS SELECT g.id, g.object AS graph_id, CASE WHEN"
    " starts_with(g.subject, 'role:') THEN NULL ELSE g.subject END AS user_id, CASE WHEN"
    " starts_with(g.subject, 'role:') THEN substr(g.subject, 6) END AS role, g.kind AS"
    " permission_type, nullif(g.owner, '') AS granted_by, quarry.time_of(g.updated_us) AS"
    " granted_at, quarry.time_of(g.expires_us) AS expires_at, true AS is_active, g.tenant AS"
    " tenant_id FROM grants AS g JOIN assets AS a ON a.id = g.object WHERE a.kind = 'graph';"

    "CREATE VIEW graph_relationships AS SELECT id, subject AS source_graph_id, object AS"
    " target_graph_id, kind AS relationship_type, properties_j AS properties, owner AS"
    " created_by, quarry.time_of(created_us) AS created_at, true AS is_active, tenant AS"
    " tenant_id FROM relations;"

    "CREATE VIEW query_history AS SELECT e.id, e.object AS graph_id, nullif(e.subject, '') AS"
    " user_id, e.name AS operation_type, e.attributes_j AS query_info, e.duration_us /"
    " 1000.0::float8 AS execution_time_ms, e.row_count AS result_count, e.success,"
    " nullif(e.description, '') AS error_message, quarry.time_of(e.created_us) AS timestamp,"
    " nullif(e.location, '') AS ip_address, e.attributes_j->>'user_agent' AS user_agent,"
    " e.tenant AS tenant_id FROM events AS e JOIN assets AS a ON a.id = e.object WHERE e.kind"
    " = 'query' AND a.kind = 'graph';"

    "CREATE VIEW storage_locations AS SELECT id, name, kind AS storage_type, location AS"
    " base_path, properties_j AS configuration, lifecycle = 'active' AS is_active, is_default,"
    " nullif(capacity_bytes, 0) AS capacity_bytes, size_bytes AS used_bytes,"
    " quarry.time_of(accessed_us) AS last_checked, quarry.time_of(created_us) AS created_at,"
    " quarry.time_of(updated_us) AS updated_at, tenant AS tenant_id FROM locations WHERE"
    " deleted_us = 0;"

    "CREATE VIEW registry_analytics AS SELECT a.name, a.namespace AS graph_type,"
    " coalesce(q.query_count, 0) AS query_count, q.avg_execution_time, a.size_bytes AS"
    " total_size, a.id AS graph_id, a.tenant AS tenant_id FROM assets AS a LEFT JOIN (SELECT"
    " object, count(*) AS query_count, (avg(duration_us) / 1000)::float8 AS avg_execution_time"
    " FROM events WHERE kind = 'query' GROUP BY object) AS q ON q.object = a.id WHERE a.kind ="
    " 'graph' AND a.deleted_us = 0;";

const char pg_views_shared[] =
    "CREATE VIEW users AS SELECT id, name AS username, p.attributes_j->>'email' AS email,"
    " secret AS password_hash, nullif(title, '') AS full_name, CASE WHEN 'admin' = ANY(roles)"
    " THEN 'admin' ELSE coalesce(roles[1], 'user') END AS role, lifecycle = 'active' AS"
    " is_active, 'admin' = ANY(roles) AS is_admin, properties_j AS preferences,"
    " quarry.time_of(created_us) AS created_at, quarry.time_of(updated_us) AS updated_at,"
    " quarry.time_of(accessed_us) AS last_login, tenant AS tenant_id FROM principals AS p"
    " WHERE kind = 'user' AND deleted_us = 0;"

    "CREATE VIEW audit_logs AS SELECT e.id, nullif(e.subject, '') AS user_id, (SELECT id FROM"
    " assets WHERE id = e.object AND kind = 'graph') AS graph_id, e.name AS action,"
    " e.namespace AS resource_type, nullif(e.object, '') AS resource_id, e.success,"
    " coalesce(e.attributes_j->'details', '{}') AS details, nullif(e.location, '') AS"
    " ip_address, e.attributes_j->>'user_agent' AS user_agent, e.attributes_j->>'session_id'"
    " AS session_id, quarry.time_of(e.created_us) AS timestamp, e.tenant AS tenant_id FROM"
    " events AS e WHERE e.kind = 'audit';"

    "CREATE VIEW system_config AS SELECT id, name AS key, name AS config_key,"
    " c.attributes_j->>'value' AS value, c.attributes_j->>'value' AS config_value, kind AS"
    " value_type, kind AS config_type, namespace AS category, nullif(description, '') AS"
    " description, secret <> '' AS is_sensitive, secret <> '' AS is_encrypted, nullif(owner,"
    " '') AS updated_by, quarry.time_of(created_us) AS created_at, quarry.time_of(updated_us)"
    " AS updated_at, tenant AS tenant_id FROM config AS c WHERE deleted_us = 0;";

const char pg_views_collections[] =
    "CREATE VIEW collections AS SELECT id, name AS collection_name, nullif(description, '')"
    " AS description, (a.attributes_j->>'dimension')::bigint AS dimension,"
    " a.attributes_j->>'metric_type' AS metric_type, a.attributes_j->>'index_type' AS"
    " index_type, a.attributes_j->>'partition_key' AS partition_key, lifecycle AS status,"
    " owner AS created_by, quarry.time_of(created_us) AS created_at,"
    " quarry.time_of(updated_us) AS updated_at, properties_j AS metadata, tenant AS tenant_id"
    " FROM assets AS a WHERE kind = 'collection' AND deleted_us = 0;"

    "CREATE VIEW collection_partitions AS SELECT id, namespace AS collection_id, name AS"
    " partition_name, nullif(description, '') AS description, lifecycle AS status,"
    " quarry.time_of(created_us) AS created_at, tenant AS tenant_id FROM assets WHERE kind ="
    " 'partition' AND deleted_us = 0;"

    "CREATE VIEW index_management AS SELECT id, namespace AS collection_id, name AS"
    " index_name, a.attributes_j->>'index_type' AS index_type, a.attributes_j->'index_params'"
    " AS index_params, coalesce(a.attributes_j->>'status', 'building') AS status,"
    " coalesce((a.attributes_j->>'progress_percentage')::int, 0) AS progress_percentage,"
    " quarry.time_of(created_us) AS created_at, (a.attributes_j->>'completed_at')::timestamptz"
    " AS completed_at, a.attributes_j->>'error_message' AS error_message, tenant AS tenant_id"
    " FROM assets AS a WHERE kind = 'index' AND deleted_us = 0;"

    "CREATE VIEW permissions AS SELECT g.id, g.subject AS user_id, g.object AS collection_id,"
    " g.kind AS permission_type, nullif(g.owner, '') AS granted_by,"
    " quarry.time_of(g.updated_us) AS granted_at, quarry.time_of(g.expires_us) AS expires_at,"
    " g.tenant AS tenant_id FROM grants AS g JOIN assets AS a ON a.id = g.object WHERE a.kind"
    " = 'collection';"

    "CREATE VIEW performance_metrics AS SELECT id, object AS collection_id, name AS"
    " operation_type, e.attributes_j->>'operation_id' AS operation_id, duration_us / 1000 AS"
    " duration_ms, success, nullif(description, '') AS error_message, properties_j AS"
    " metadata, quarry.time_of(created_us) AS timestamp, tenant AS tenant_id FROM events AS e"
    " WHERE kind = 'performance';"

    "CREATE VIEW query_logs AS SELECT e.id, nullif(e.subject, '') AS user_id, e.object AS"
    " collection_id, e.name AS query_type, (e.attributes_j->>'query_vector_dimension')::bigint"
    " AS query_vector_dimension, (e.attributes_j->>'top_k')::bigint AS top_k,"
    " e.attributes_j->'search_params' AS search_params, e.row_count AS result_count,"
    " e.duration_us / 1000 AS duration_ms, e.success, nullif(e.description, '') AS"
    " error_message, quarry.time_of(e.created_us) AS timestamp, e.tenant AS tenant_id FROM"
    " events AS e JOIN assets AS a ON a.id = e.object WHERE e.kind = 'query' AND a.kind ="
    " 'collection';"

    "CREATE VIEW ingestion_logs AS SELECT id, object AS collection_id, nullif(subject, '') AS"
    " user_id, e.attributes_j->>'batch_id' AS batch_id, row_count AS records_count, size_bytes"
    " AS file_size_bytes, name AS source_type, lifecycle AS status, quarry.time_of(created_us)"
    " AS started_at, (e.attributes_j->>'completed_at')::timestamptz AS completed_at,"
    " nullif(description, '') AS error_message, properties_j AS metadata, tenant AS tenant_id"
    " FROM events AS e WHERE kind = 'ingestion';"

    "CREATE VIEW collection_stats AS SELECT c.id, c.collection_name, c.description,"
    " c.dimension, c.metric_type, c.status, c.created_at, (SELECT count(*) FROM assets WHERE"
    " kind = 'partition' AND namespace = c.id AND tenant = c.tenant_id AND deleted_us = 0) AS"
    " partition_count, (SELECT count(DISTINCT subject) FROM grants WHERE object = c.id AND"
    " tenant = c.tenant_id AND (expires_us = 0 OR expires_us > quarry.now_us())) AS"
    " user_count, q.avg_query_duration, coalesce(q.total_queries, 0) AS total_queries,"
    " coalesce(q.successful_queries, 0) AS successful_queries, c.tenant_id FROM collections AS"
    " c LEFT JOIN (SELECT object, (avg(duration_us) / 1000)::float8 AS avg_query_duration,"
    " count(*) AS total_queries, count(*) FILTER (WHERE success) AS successful_queries FROM"
    " events WHERE kind = 'query' OR (kind = 'performance' AND name = 'search' AND namespace"
    " <> 'query') GROUP BY object) AS q ON q.object = c.id;"

    "CREATE VIEW nodes AS SELECT id AS uuid, name, version, attributes_j AS metadata,"
    " quarry.time_of(created_us) AS created_at, quarry.time_of(updated_us) AS updated_at,"
    " namespace, lifecycle, tenant AS tenant_id FROM assets WHERE kind = 'node' AND deleted_us"
    " = 0;"

    "CREATE VIEW node_tags AS SELECT id AS node_uuid, unnest(tags) AS tag FROM assets WHERE"
    " kind = 'node' AND deleted_us = 0;";

/* --- inserts --- */

const char pg_view_inserts[] =
    "CREATE FUNCTION graph_registry_insert() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
    " new.id := coalesce(new.id, gen_random_uuid()::text); INSERT INTO quarry.assets(id,"
    " tenant, key, kind, name, title, description, namespace, owner, lifecycle, version,"
    " is_public, location, node_count, edge_count, hyperedge_count, size_bytes, tags,"
    " categories, properties, attributes, revision, created_us, updated_us) VALUES(new.id,"
    " coalesce(new.tenant_id, 'default_tenant'), 'graph/' || quarry.key_part(new.name),"
    " 'graph', new.name, coalesce(new.display_name, ''), coalesce(new.description, ''),"
    " new.graph_type, coalesce(new.owner_id, 'sql'), coalesce(new.status, 'active'),"
    " coalesce(new.version, '1.0.0'), coalesce(new.is_public, false), new.storage_path,"
    " coalesce(new.node_count, 0), coalesce(new.edge_count, 0), coalesce(new.hyperedge_count,"
    " 0), coalesce(new.file_size_bytes, 0), coalesce(new.tags, '{}'), coalesce(new.categories,"
    " '{}'), coalesce(new.properties, '{}')::text, jsonb_build_object('schema_info',"
    " coalesce(new.schema_info, '{}'))::text, 1, quarry.now_us(), quarry.now_us()); RETURN"
    " new; END$$;"

    "CREATE TRIGGER graph_registry_insert INSTEAD OF INSERT ON graph_registry FOR EACH ROW"
    " EXECUTE FUNCTION graph_registry_insert();"

    "CREATE FUNCTION graph_permissions_insert() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
    " new.id := coalesce(new.id, gen_random_uuid()::text); INSERT INTO quarry.grants(id,"
    " tenant, key, kind, subject, object, owner, lifecycle, expires_us, revision, created_us,"
    " updated_us) VALUES(new.id, coalesce(new.tenant_id, 'default_tenant'),"
    " quarry.key_part(new.graph_id) || '/' || quarry.key_part(coalesce(new.user_id, 'role:' ||"
    " new.role)) || '/' || new.permission_type, new.permission_type, coalesce(new.user_id,"
    " 'role:' || new.role), new.graph_id, coalesce(new.granted_by, 'sql'), 'active',"
    " coalesce((extract(epoch FROM new.expires_at) * 1000000)::bigint, 0), 1, quarry.now_us(),"
    " quarry.now_us()); RETURN new; END$$;"

    "CREATE TRIGGER graph_permissions_insert INSTEAD OF INSERT ON graph_permissions FOR EACH"
    " ROW EXECUTE FUNCTION graph_permissions_insert();"

    "CREATE FUNCTION query_history_insert() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
    " new.id := coalesce(new.id, gen_random_uuid()::text); INSERT INTO quarry.events(id,"
    " tenant, kind, name, subject, object, attributes, duration_us, row_count, success,"
    " description, location, revision, created_us, updated_us) VALUES(new.id,"
    " coalesce(new.tenant_id, 'default_tenant'), 'query', new.operation_type,"
    " coalesce(new.user_id, ''), new.graph_id, coalesce(new.query_info, '{}')::text,"
    " (coalesce(new.execution_time_ms, 0) * 1000)::bigint, coalesce(new.result_count, 0),"
    " coalesce(new.success, true), coalesce(new.error_message, ''), coalesce(new.ip_address,"
    " ''), 1, quarry.now_us(), quarry.now_us()); RETURN new; END$$;"

    "CREATE TRIGGER query_history_insert INSTEAD OF INSERT ON query_history FOR EACH ROW"
    " EXECUTE FUNCTION query_history_insert();"

    "CREATE FUNCTION storage_locations_insert() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
    " new.id := coalesce(new.id, gen_random_uuid()::text); INSERT INTO quarry.locations(id,"
    " tenant, key, kind, name, location, properties, lifecycle, is_default, capacity_bytes,"
    " size_bytes, owner, revision, created_us, updated_us) VALUES(new.id,"
    " coalesce(new.tenant_id, 'default_tenant'), quarry.key_part(new.name), new.storage_type,"
    " new.name, new.base_path, coalesce(new.configuration, '{}')::text, CASE WHEN"
    " coalesce(new.is_active, true) THEN 'active' ELSE 'inactive' END,"
    " coalesce(new.is_default, false), coalesce(new.capacity_bytes, 0),"
    " coalesce(new.used_bytes, 0), 'sql', 1, quarry.now_us(), quarry.now_us()); RETURN new;"
    " END$$;"

    "CREATE TRIGGER storage_locations_insert INSTEAD OF INSERT ON storage_locations FOR EACH"
    " ROW EXECUTE FUNCTION storage_locations_insert();"

    "CREATE FUNCTION users_insert() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN new.id :="
    " coalesce(new.id, gen_random_uuid()::text); INSERT INTO quarry.principals(id, tenant,"
    " key, kind, name, title, secret, roles, attributes, properties, owner, lifecycle,"
    " revision, created_us, updated_us) VALUES(new.id, coalesce(new.tenant_id,"
    " 'default_tenant'), 'user/' || quarry.key_part(new.username), 'user', new.username,"
    " coalesce(new.full_name, ''), coalesce(new.password_hash, ''), CASE WHEN new.is_admin"
    " THEN '{admin}' ELSE ARRAY[coalesce(new.role, 'user')] END, CASE WHEN new.email IS NULL"
    " THEN '{}' ELSE jsonb_build_object('email', new.email)::text END,"
    " coalesce(new.preferences, '{}')::text, 'sql', CASE WHEN coalesce(new.is_active, true)"
    " THEN 'active' ELSE 'disabled' END, 1, quarry.now_us(), quarry.now_us()); IF new.email IS"
    " NOT NULL THEN INSERT INTO quarry.principals(id, tenant, key, kind, name, revision,"
    " created_us, updated_us) VALUES(gen_random_uuid()::text, coalesce(new.tenant_id,"
    " 'default_tenant'), 'email/' || quarry.key_part(new.email), 'email', new.email, 1,"
    " quarry.now_us(), quarry.now_us()); END IF; RETURN new; END$$;"

    "CREATE TRIGGER users_insert INSTEAD OF INSERT ON users FOR EACH ROW EXECUTE FUNCTION"
    " users_insert();";
