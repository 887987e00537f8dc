#include "catalog/node/metadata_rules.h"

#include <stddef.h>

#define FIELD(name, kind)                                                                          \
    {                                                                                              \
        name, kind, false, "MD002", NULL, NULL                                                     \
    }
#define CHOICE(name, kind, words)                                                                  \
    {                                                                                              \
        name, kind, false, "MD002", words, NULL                                                    \
    }
#define PARTS(name, kind, members)                                                                 \
    {                                                                                              \
        name, kind, false, "MD002", NULL, members                                                  \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, KIND_TEXT, false, NULL, NULL, NULL                                                   \
    }

static const struct metadata_rule signature_block[] = {
    FIELD("signature", KIND_TEXT),
    FIELD("algorithm", KIND_TEXT),
    FIELD("signed_by", KIND_TEXT),
    {"issued_at", KIND_TIME, false, "MD005", NULL, NULL},
    END,
};

static const struct metadata_rule testing[] = {
    FIELD("canonical_test_case_ids", KIND_TEXTS),
    CHOICE("required_ci_tiers", KIND_WORDS, "mock|integration|external"),
    FIELD("minimum_coverage_percentage", KIND_PERCENT),
    END,
};

static const struct metadata_rule data_handling_declaration[] = {
    FIELD("processes_sensitive_data", KIND_BOOL),
    FIELD("data_residency_required", KIND_TEXT),
    CHOICE("data_classification", KIND_WORD, "public|internal|confidential|restricted"),
    END,
};

static const struct metadata_rule logging_config[] = {
    CHOICE("level", KIND_WORD, "trace|debug|info|warn|error|critical|none"),
    CHOICE("format", KIND_WORD, "json|text|key-value"),
    FIELD("audit_events", KIND_TEXTS),
    END,
};

static const struct metadata_rule source_repository[] = {
    FIELD("url", KIND_TEXT),
    FIELD("commit_hash", KIND_COMMIT),
    FIELD("path", KIND_TEXT),
    END,
};

static const struct metadata_rule tool[] = {
    CHOICE("type", KIND_WORD, "function"),
    FIELD("language", KIND_TEXT),
    FIELD("line", KIND_COUNT),
    FIELD("description", KIND_TEXT),
    FIELD("inputs", KIND_PORTS),
    FIELD("outputs", KIND_PORTS),
    FIELD("error_codes", KIND_TEXTS),
    FIELD("side_effects", KIND_TEXTS),
    END,
};

const struct metadata_rule metadata_rules[] = {
    {"metadata_version", KIND_VERSION3, false, "MD007", NULL, NULL},
    {"protocol_version", KIND_VERSION3, false, "MD007", NULL, NULL},
    {"schema_version", KIND_VERSION3, true, "MD007", NULL, NULL},
    {"name", KIND_TEXT, true, "MD002", NULL, NULL},
    {"author", KIND_TEXT, true, "MD002", NULL, NULL},
    {"version", KIND_SEMVER, true, "MD007", NULL, NULL},
    {"uuid", KIND_UUID, true, "MD004", NULL, NULL},
    {"namespace", KIND_NAMESPACE, true, "MD008", NULL, NULL},
    {"created_at", KIND_TIME, true, "MD005", NULL, NULL},
    {"last_modified_at", KIND_TIME, true, "MD005", NULL, NULL},
    {"hash", KIND_HASH, true, "MD003", NULL, NULL},
    {"entrypoint", KIND_ENTRYPOINT, true, "MD002", NULL, NULL},
    FIELD("description", KIND_TEXT),
    FIELD("state_contract", KIND_CONTRACT),
    {"lifecycle", KIND_WORD, false, "LC001", "draft|active|deprecated|archived", NULL},
    {"meta_type", KIND_WORD, false, "RG003",
     "tool|validator|agent|model|schema|plugin|ignore_config|node|unknown", NULL},
    FIELD("owner", KIND_TEXT),
    FIELD("copyright", KIND_TEXT),
    FIELD("runtime_language_hint", KIND_TEXT),
    FIELD("trust_score", KIND_FRACTION),
    FIELD("tags", KIND_TEXTS),
    FIELD("capabilities", KIND_TEXTS),
    FIELD("protocols_supported", KIND_TEXTS),
    FIELD("base_class", KIND_TEXTS),
    FIELD("environment", KIND_TEXTS),
    FIELD("os_requirements", KIND_TEXTS),
    FIELD("compliance_profiles", KIND_TEXTS),
    {"architectures", KIND_WORDS, false, "MD002", "amd64|arm64|ppc64le", NULL},
    FIELD("dependencies", KIND_NEEDS),
    FIELD("inputs", KIND_PORTS),
    FIELD("outputs", KIND_PORTS),
    FIELD("license", KIND_TEXT),
    FIELD("container_image_reference", KIND_TEXT),
    PARTS("signature_block", KIND_OBJECT, signature_block),
    PARTS("testing", KIND_OBJECT, testing),
    PARTS("data_handling_declaration", KIND_OBJECT, data_handling_declaration),
    PARTS("logging_config", KIND_OBJECT, logging_config),
    PARTS("source_repository", KIND_OBJECT, source_repository),
    PARTS("tools", KIND_MAP, tool),
    FIELD("x_extensions", KIND_OBJECT),
    {"deprecated_by", KIND_UUID, false, "LC005", NULL, NULL},
    {"archived_reason", KIND_TEXT, false, "LC006", NULL, NULL},
    {"execution_mode", KIND_WORD, false, "MD002", "sync|async|batched|streaming", NULL},
    FIELD("execution_constraints", KIND_OBJECT),
    FIELD("security_context", KIND_OBJECT),
    {"deprecation_date", KIND_TIME, false, "MD005", NULL, NULL},
    {"end_of_life_date", KIND_TIME, false, "MD005", NULL, NULL},
    {"archived_date", KIND_TIME, false, "MD005", NULL, NULL},
    END,
};
