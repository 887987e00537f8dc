/* elastic_url.h:
 * elasticsearch[+https]://[USER:PASSWORD@]HOST[:PORT][/PREFIX][?api_key=KEY&ca_file=PATH] and the
 * same with opensearch; %XX in user, password, key and path. */
#ifndef QUARRY_CATALOG_ELASTIC_URL_H
#define QUARRY_CATALOG_ELASTIC_URL_H

#include "base/status.h"
#include "base/str.h"

struct elastic_url {
    char *origin;                  /* "http://host:port" */
    char *prefix;                  /* of index names */
    char *authorization, *ca_file; /* header's value; NULL: none */
};

/* STATUS_INVALID_ARGUMENT says how it is written, and nothing of what was given. */
enum status elastic_url_parse(struct str text, struct elastic_url *ret, struct error *err);
void elastic_url_release(struct elastic_url *url);

#endif
