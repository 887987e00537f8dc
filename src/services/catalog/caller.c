#include "services/catalog/catalog_int.h"

/* The gate has found out who calls. A caller without token is the local operator: of the configured
 * tenant, and its admin. */
struct caller caller_of(struct request *request)
{
    const struct identity *identity = &request->identity;
    struct str agent = http_request_header(request->http, "user-agent");
    return (struct caller){
        .tenant = identity->tenant.len ? identity->tenant
                                       : str_of(service_of(request)->options.tenant_id),
        .principal = identity->user_id.len ? identity->user_id : STR("local"),
        .roles = identity->roles,
        .roles_len = identity->roles_len,
        .admin = identity->level == PERMISSION_ADMIN,
        .address = http_request_client(request->http),
        .user_agent = agent.len <= 500 ? agent : str_make(agent.data, 500),
        .session = identity->family,
    };
}
