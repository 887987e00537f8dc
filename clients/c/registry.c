/* registry.c: assets, their lifecycle and logs, nodes, ranked search. */
#include "client_int.h"

enum quarry_status quarry_create_asset(struct quarry *client, const char *kind, const char *name,
                                       const char *fields_json, struct quarry_answer **answer,
                                       struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/assets");
    message_need(&m, "an asset needs a kind", kind);
    message_need(&m, "an asset needs a name", name);
    message_put_text(&m, "kind", kind);
    message_put_text(&m, "name", name);
    put_members(&m, fields_json);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_get_asset(struct quarry *client, const char *id,
                                    struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/assets/%s", id);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_list_assets(struct quarry *client, const char *const *filters,
                                      struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/assets");
    message_pairs(&m, filters);
    return message_send_pages(client, &m, "assets", 0, answer, error);
}

enum quarry_status quarry_update_asset(struct quarry *client, const char *id,
                                       const char *fields_json, struct quarry_answer **answer,
                                       struct quarry_error *error)
{
    struct message m;
    message_init(&m, "PATCH", "/assets/%s", id);
    put_members(&m, fields_json);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_delete_asset(struct quarry *client, const char *id, bool purge,
                                       struct quarry_error *error)
{
    struct message m;
    message_init(&m, "DELETE", "/assets/%s", id);
    message_query(&m, "purge", purge ? "true" : NULL);
    return message_send(client, &m, NULL, NULL, error);
}

enum quarry_status quarry_lineage(struct quarry *client, const char *id, bool impact, int depth,
                                  struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/assets/%s/lineage", id);
    message_query(&m, "direction", impact ? "downstream" : "upstream");
    message_query_int(&m, "depth", depth ? depth : 8);
    return message_send(client, &m, "/lineage", answer, error);
}

enum quarry_status quarry_undelete_asset(struct quarry *client, const char *id,
                                         struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/assets/%s/undelete", id);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_relate(struct quarry *client, const char *id, const char *target_id,
                                 const char *type, const char *properties_json,
                                 struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/assets/%s/relations", id);
    message_need(&m, "a relation needs a target", target_id);
    message_need(&m, "a relation needs a type", type);
    message_put_text(&m, "target_id", target_id);
    message_put_text(&m, "relationship_type", type);
    message_put_json(&m, "properties", properties_json);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_list_relations(struct quarry *client, const char *id,
                                         struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/assets/%s/relations", id);
    return message_send(client, &m, "/relations", answer, error);
}

/* --- lifecycle --- */

enum quarry_status quarry_move_asset(struct quarry *client, const char *id, const char *to,
                                     const char *reason, const char *deprecated_by,
                                     struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/assets/%s/lifecycle", id);
    message_need(&m, "a step needs a state", to);
    message_put_text(&m, "to", to);
    message_put_text(&m, "reason", reason);
    message_put_text(&m, "deprecated_by", deprecated_by);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_approve(struct quarry *client, const char *id, const char *to,
                                  const char *comment, struct quarry_answer **answer,
                                  struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/assets/%s/approvals", id);
    message_need(&m, "an approval needs a state", to);
    message_put_text(&m, "to", to);
    message_put_text(&m, "comment", comment);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_announce(struct quarry *client, const char *id, const char *to,
                                   const char *reason, struct quarry_answer **answer,
                                   struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/assets/%s/notices", id);
    message_need(&m, "a notice needs a state", to);
    message_put_text(&m, "to", to);
    message_put_text(&m, "reason", reason);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_list_approvals(struct quarry *client, const char *id,
                                         struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/assets/%s/approvals", id);
    return message_send(client, &m, "/approvals", answer, error);
}

enum quarry_status quarry_withdraw_approval(struct quarry *client, const char *id,
                                            const char *approval_id, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "DELETE", "/assets/%s/approvals/%s", id, approval_id);
    return message_send(client, &m, NULL, NULL, error);
}

enum quarry_status quarry_list_events(struct quarry *client, const char *kind, int64_t limit,
                                      struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/events");
    message_need(&m, "a log needs a kind", kind);
    message_query(&m, "kind", kind);
    return message_send_pages(client, &m, "events", limit, answer, error);
}

/* --- nodes --- */

enum quarry_status quarry_register_node(struct quarry *client, const char *block_json,
                                        struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/nodes");
    message_need(&m, "a node needs its block", block_json);
    message_put_json(&m, "metadata", block_json);
    return message_send(client, &m, "/node", answer, error);
}

enum quarry_status quarry_get_node(struct quarry *client, const char *name_space, const char *name,
                                   const char *version, struct quarry_answer **answer,
                                   struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/nodes/%s/%s/%s", name_space, name, version ? version : "latest");
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_list_nodes(struct quarry *client, const char *const *filters,
                                     struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/nodes");
    message_pairs(&m, filters);
    return message_send_pages(client, &m, "nodes", 0, answer, error);
}

enum quarry_status quarry_pull_nodes(struct quarry *client, const char *url,
                                     const char *options_json, struct quarry_answer **answer,
                                     struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/nodes/pull");
    message_need(&m, "a pull needs a URL", url);
    message_put_text(&m, "url", url);
    put_members(&m, options_json);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_resolve(struct quarry *client, const char *needs_json,
                                  struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/nodes/resolve");
    message_need(&m, "a resolution needs needs", needs_json);
    message_put_json(&m, "needs", needs_json);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_search_assets(struct quarry *client, const char *words,
                                        const char *const *filters, struct quarry_answer **answer,
                                        struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/search");
    message_query(&m, "q", words ? words : "");
    message_pairs(&m, filters);
    return message_send(client, &m, NULL, answer, error);
}
