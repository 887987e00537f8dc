/* metadata_rules.h: the fields of a metadata block and of the objects in it (contracts 4.2): one
 * row a field. */
#ifndef QUARRY_CATALOG_NODE_METADATA_RULES_H
#define QUARRY_CATALOG_NODE_METADATA_RULES_H

#include <stdbool.h>

enum field_kind {
    KIND_TEXT,     /* not empty */
    KIND_VERSION3, /* three numbers */
    KIND_SEMVER,
    KIND_UUID,
    KIND_TIME,
    KIND_HASH,
    KIND_COMMIT, /* 40 hexadecimal digits */
    KIND_NAMESPACE,
    KIND_ENTRYPOINT,
    KIND_CONTRACT, /* state_contract://... */
    KIND_WORD,     /* one of the rule's words */
    KIND_FRACTION, /* 0..1 */
    KIND_PERCENT,  /* 0..100 */
    KIND_COUNT,    /* a whole number, 0 or more */
    KIND_BOOL,
    KIND_TEXTS,
    KIND_WORDS, /* a list of the rule's words */
    KIND_PORTS, /* inputs, outputs */
    KIND_NEEDS,
    KIND_OBJECT, /* with the rule's members, if it has some */
    KIND_MAP,    /* names to objects with the rule's members */
};

struct metadata_rule {
    const char *name; /* NULL ends a list */
    enum field_kind kind;
    bool required;
    const char *code;  /* when the value is wrong */
    const char *words; /* "a|b|c" */
    const struct metadata_rule *members;
};

extern const struct metadata_rule metadata_rules[];

#endif
