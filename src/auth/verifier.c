#include "auth/verifier.h"

#include <pthread.h>
#include <stdlib.h>

struct issuer {
    char *name, *audience; /* NULL audience: any */
    struct keyring ring;
    const struct outside_mapping *mapping; /* NULL: the claims mean what ours mean */
};

struct revocation {
    char *id;
    uint64_t hash;
    int64_t until_s;
};

struct verifier {
    struct sys *sys;
    int64_t skew_s;
    pthread_rwlock_t lock;                       /* issuers and revocations */
    struct issuer issuers[VERIFIER_ISSUERS_MAX]; /* the first is Quarry itself */
    uint32_t issuers_len;
    struct revocation *revoked; /* open addressing */
    uint32_t revoked_len, revoked_cap;
    void (*on_miss)(void *context, struct str issuer);
    void *miss_context;
    pthread_mutex_t cache_lock;
    char *cache[VERIFIER_CACHE]; /* NUL-ended tokens */
};

static void issuer_release(struct issuer *issuer)
{
    free(issuer->name);
    free(issuer->audience);
    keyring_release(&issuer->ring);
}

enum status verifier_new(struct sys *sys, struct str issuer, struct str audience, int64_t skew_s,
                         struct verifier **ret, struct error *err)
{
    struct verifier *verifier = calloc(1, sizeof *verifier);
    if (!verifier)
        return error_no_memory(err);
    verifier->sys = sys;
    verifier->skew_s = skew_s;
    verifier->issuers[0] = (struct issuer){.name = str_dup(issuer), .audience = str_dup(audience)};
    verifier->issuers_len = 1;
    pthread_rwlock_init(&verifier->lock, NULL);
    pthread_mutex_init(&verifier->cache_lock, NULL);
    if (!verifier->issuers[0].name || !verifier->issuers[0].audience) {
        verifier_free(verifier);
        return error_no_memory(err);
    }
    *ret = verifier;
    return STATUS_OK;
}

static void empty_cache(struct verifier *verifier)
{
    pthread_mutex_lock(&verifier->cache_lock);
    for (int i = 0; i < VERIFIER_CACHE; i++) {
        free(verifier->cache[i]);
        verifier->cache[i] = NULL;
    }
    pthread_mutex_unlock(&verifier->cache_lock);
}

void verifier_free(struct verifier *verifier)
{
    if (!verifier)
        return;
    for (uint32_t i = 0; i < verifier->issuers_len; i++)
        issuer_release(&verifier->issuers[i]);
    for (uint32_t i = 0; i < verifier->revoked_cap; i++)
        free(verifier->revoked[i].id);
    free(verifier->revoked);
    empty_cache(verifier);
    pthread_rwlock_destroy(&verifier->lock);
    pthread_mutex_destroy(&verifier->cache_lock);
    free(verifier);
}

/* --- keys --- */

static struct issuer *find_issuer(struct verifier *verifier, struct str name)
{
    if (!name.data)
        return &verifier->issuers[0];
    for (uint32_t i = 1; i < verifier->issuers_len; i++)
        if (str_is(name, verifier->issuers[i].name))
            return &verifier->issuers[i];
    return NULL;
}

static enum status add_issuer(struct verifier *verifier, struct str name, struct str audience,
                              struct issuer **ret, struct error *err)
{
    struct issuer *issuer = &verifier->issuers[verifier->issuers_len];
    if (verifier->issuers_len == VERIFIER_ISSUERS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "More than %d issuers of tokens.",
                         VERIFIER_ISSUERS_MAX - 1);
    *issuer = (struct issuer){.name = str_dup(name),
                              .audience = audience.data ? str_dup(audience) : NULL};
    if (!issuer->name || (audience.data && !issuer->audience)) {
        issuer_release(issuer);
        return error_no_memory(err);
    }
    verifier->issuers_len++;
    *ret = issuer;
    return STATUS_OK;
}

enum status verifier_set_keys(struct verifier *verifier, struct str issuer, struct str audience,
                              struct keyring *ring, struct error *err)
{
    enum status status = STATUS_OK;
    pthread_rwlock_wrlock(&verifier->lock);
    struct issuer *found = find_issuer(verifier, issuer);
    if (!found)
        status = add_issuer(verifier, issuer, audience, &found, err);
    if (status == STATUS_OK) {
        keyring_release(&found->ring);
        found->ring = *ring;
        *ring = (struct keyring){0};
        empty_cache(verifier); /* a key that is gone takes its tokens along */
    }
    pthread_rwlock_unlock(&verifier->lock);
    return status;
}

void verifier_set_mapping(struct verifier *verifier, struct str issuer,
                          const struct outside_mapping *mapping)
{
    pthread_rwlock_wrlock(&verifier->lock);
    struct issuer *found = find_issuer(verifier, issuer);
    if (found)
        found->mapping = mapping;
    pthread_rwlock_unlock(&verifier->lock);
}

void verifier_on_miss(struct verifier *verifier, void (*fn)(void *context, struct str issuer),
                      void *context)
{
    verifier->on_miss = fn;
    verifier->miss_context = context;
}

/* --- the cache of right signatures --- */

static bool cache_has(struct verifier *verifier, struct str token)
{
    pthread_mutex_lock(&verifier->cache_lock);
    const char *kept = verifier->cache[str_hash(token) % VERIFIER_CACHE];
    bool has = kept && str_is(token, kept);
    pthread_mutex_unlock(&verifier->cache_lock);
    return has;
}

static void cache_put(struct verifier *verifier, struct str token)
{
    char *copy = str_dup(token);
    char **place = &verifier->cache[str_hash(token) % VERIFIER_CACHE];
    if (!copy)
        return;
    pthread_mutex_lock(&verifier->cache_lock);
    char *old = *place;
    *place = copy;
    pthread_mutex_unlock(&verifier->cache_lock);
    free(old);
}

static bool is_asymmetric(const struct keyring *ring)
{
    for (uint32_t i = 0; i < ring->len; i++)
        if (auth_key_alg(ring->keys[i]) != AUTH_HS256)
            return true;
    return false;
}

/* --- checking; verifier->lock is held for reading --- */

/* Which issuer the token claims to be from: not believed yet, it only picks the keys. */
static const struct issuer *claimed_issuer(struct verifier *verifier, struct str payload)
{
    yyjson_doc *doc = NULL;
    const struct issuer *found = &verifier->issuers[0];
    if (verifier->issuers_len == 1 || json_parse(payload, &doc, NULL) != STATUS_OK)
        return found;
    yyjson_val *name = json_get(yyjson_doc_get_root(doc), "iss");
    const struct issuer *other =
        yyjson_is_str(name) ? find_issuer(verifier, json_str_of(name)) : NULL;
    yyjson_doc_free(doc);
    return other ? other : found;
}

static uint32_t revoked_place(const struct verifier *verifier, struct str id)
{
    uint64_t hash = str_hash(id);
    uint32_t mask = verifier->revoked_cap - 1, at = (uint32_t)hash & mask;
    while (verifier->revoked[at].id &&
           !(verifier->revoked[at].hash == hash && str_is(id, verifier->revoked[at].id)))
        at = (at + 1) & mask;
    return at;
}

static bool is_revoked(const struct verifier *verifier, struct str id)
{
    return id.data && verifier->revoked_cap > 0 &&
           verifier->revoked[revoked_place(verifier, id)].id;
}

/* The family's name up to its last '.'. */
static struct str group_of(struct str family)
{
    while (family.len > 0 && family.data[family.len - 1] != '.')
        family.len--;
    return family.len > 0 ? str_make(family.data, family.len - 1) : STR_NONE;
}

static enum status check_locked(struct verifier *verifier, struct str token, struct arena *arena,
                                struct claims *ret, struct error *err)
{
    struct str payload;
    TRY(jws_payload(token, arena, &payload, err));
    const struct issuer *issuer = claimed_issuer(verifier, payload);
    bool cacheable = is_asymmetric(&issuer->ring);
    struct jwt_rules rules = {.issuer = str_of(issuer->name),
                              .audience = str_of(issuer->audience),
                              .skew_s = verifier->skew_s,
                              .foreign = issuer != &verifier->issuers[0],
                              .mapped = issuer->mapping != NULL};
    if (!cacheable || !cache_has(verifier, token)) {
        enum status status = jws_verify(&issuer->ring, token, arena, &payload, err);
        if (status != STATUS_OK && rules.foreign && verifier->on_miss)
            verifier->on_miss(verifier->miss_context, rules.issuer);
        TRY(status);
        if (cacheable)
            cache_put(verifier, token);
    }
    TRY(jwt_read_claims(payload, &rules, sys_now_us(verifier->sys) / 1000000, arena, ret, err));
    if (issuer->mapping)
        TRY(outside_apply(issuer->mapping, payload, token, arena, ret, err));
    if (is_revoked(verifier, ret->id) || is_revoked(verifier, ret->family) ||
        is_revoked(verifier, group_of(ret->family)))
        return error_set(err, STATUS_UNAUTHENTICATED, "The token is refused: it was revoked.");
    return STATUS_OK;
}

enum status verifier_check(struct verifier *verifier, struct str token, struct arena *arena,
                           struct claims *ret, struct error *err)
{
    pthread_rwlock_rdlock(&verifier->lock);
    enum status status = check_locked(verifier, token, arena, ret, err);
    pthread_rwlock_unlock(&verifier->lock);
    return status;
}

/* --- revoking; verifier->lock is held for writing --- */

/* A table of that size with the revocations that still matter. */
static enum status resize(struct verifier *verifier, uint32_t cap, int64_t now_s, struct error *err)
{
    struct revocation *old = verifier->revoked;
    uint32_t old_cap = verifier->revoked_cap;
    struct revocation *table = calloc(cap, sizeof *table);
    if (!table)
        return error_no_memory(err);
    verifier->revoked = table;
    verifier->revoked_cap = cap;
    verifier->revoked_len = 0;
    for (uint32_t i = 0; i < old_cap; i++) {
        if (!old[i].id)
            continue;
        if (old[i].until_s + verifier->skew_s < now_s) {
            free(old[i].id);
            continue;
        }
        table[revoked_place(verifier, str_of(old[i].id))] = old[i];
        verifier->revoked_len++;
    }
    free(old);
    return STATUS_OK;
}

static enum status make_room(struct verifier *verifier, struct error *err)
{
    int64_t now_s = sys_now_us(verifier->sys) / 1000000;
    uint32_t cap = verifier->revoked_cap;
    if (verifier->revoked_len < cap / 2)
        return STATUS_OK;
    TRY(resize(verifier, cap ? cap : 64, now_s, err));
    if (verifier->revoked_len < verifier->revoked_cap / 4)
        return STATUS_OK;
    if (verifier->revoked_len >= VERIFIER_REVOKED_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "More than %d revoked tokens are remembered.",
                         VERIFIER_REVOKED_MAX);
    return resize(verifier, verifier->revoked_cap * 2, now_s, err);
}

enum status verifier_revoke(struct verifier *verifier, struct str id, int64_t until_s,
                            struct error *err)
{
    char *copy = str_dup(id);
    if (!copy)
        return error_no_memory(err);
    pthread_rwlock_wrlock(&verifier->lock);
    enum status status = make_room(verifier, err);
    if (status == STATUS_OK) {
        struct revocation *place = &verifier->revoked[revoked_place(verifier, id)];
        if (place->id) {
            place->until_s = until_s > place->until_s ? until_s : place->until_s;
        } else {
            *place = (struct revocation){copy, str_hash(id), until_s};
            verifier->revoked_len++;
            copy = NULL;
        }
    }
    pthread_rwlock_unlock(&verifier->lock);
    free(copy);
    return status;
}

bool verifier_has_revoked(struct verifier *verifier, struct str id)
{
    pthread_rwlock_rdlock(&verifier->lock);
    bool has = is_revoked(verifier, id);
    pthread_rwlock_unlock(&verifier->lock);
    return has;
}
