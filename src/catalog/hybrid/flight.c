/* flight.c: equal reads at the same time go to the primary once.
 *
 * A read joins one that is under way only when it has the same stamp: no commit began between
 * their beginnings, so that what the first one finds is new enough for the second. */
#include <stdlib.h>

#include "catalog/hybrid/hybrid_int.h"
#include "catalog/record_set.h"

struct flight {
    struct flight *next;
    struct flight_key key; /* texts are the leader's; looked at only while it is in the list */
    uint32_t users;
    bool landed;
    enum status status;
    struct error error;
    struct record *record;
};

void flights_init(struct flights *flights)
{
    *flights = (struct flights){0};
    pthread_mutex_init(&flights->lock, NULL);
    thread_cond_init(&flights->landed);
}

void flights_release(struct flights *flights)
{
    pthread_mutex_destroy(&flights->lock);
    pthread_cond_destroy(&flights->landed);
}

static bool is_same(const struct flight_key *a, const struct flight_key *b)
{
    return a->domain == b->domain && a->by_key == b->by_key && stamp_equal(&a->stamp, &b->stamp) &&
           str_eq(a->tenant, b->tenant) && str_eq(a->text, b->text);
}

/* With the lock. */
static void leave(struct flight *flight)
{
    if (--flight->users > 0)
        return;
    free(flight->record);
    free(flight);
}

/* With the lock; NULL when memory is out. */
static struct flight *take_off(struct flights *flights, const struct flight_key *key)
{
    struct flight *flight = calloc(1, sizeof *flight);
    if (!flight)
        return NULL;
    flight->key = *key;
    flight->users = 1;
    flight->next = flights->first;
    flights->first = flight;
    return flight;
}

/* Waits with the lock, copies without it. */
static enum status share(struct flights *flights, struct flight *flight, struct arena *arena,
                         struct record *ret, struct error *err)
{
    flight->users++;
    while (!flight->landed)
        pthread_cond_wait(&flights->landed, &flights->lock);
    pthread_mutex_unlock(&flights->lock);
    enum status status = flight->status;
    if (status == STATUS_OK)
        status = record_copy(flight->record, arena, ret, err);
    else if (err)
        *err = flight->error;
    pthread_mutex_lock(&flights->lock);
    leave(flight);
    return status;
}

bool flight_join(struct flights *flights, const struct flight_key *key, struct flight **ret_flight,
                 struct arena *arena, struct record *ret, enum status *ret_status,
                 struct error *err)
{
    *ret_flight = NULL;
    if (!key->stamp.trusted)
        return false;
    pthread_mutex_lock(&flights->lock);
    struct flight *flight = flights->first;
    while (flight && !is_same(&flight->key, key))
        flight = flight->next;
    if (flight)
        *ret_status = share(flights, flight, arena, ret, err);
    else
        *ret_flight = take_off(flights, key);
    pthread_mutex_unlock(&flights->lock);
    return flight && (*ret_status == STATUS_OK || *ret_status == STATUS_NOT_FOUND);
}

void flight_land(struct flights *flights, struct flight *flight, enum status status,
                 const struct record *record, const struct error *err)
{
    if (!flight)
        return;
    pthread_mutex_lock(&flights->lock);
    struct flight **place = &flights->first;
    while (*place != flight)
        place = &(*place)->next;
    *place = flight->next;
    bool waited_for = flight->users > 1;
    pthread_mutex_unlock(&flights->lock);
    struct record *copy = waited_for && status == STATUS_OK ? record_clone(record) : NULL;
    pthread_mutex_lock(&flights->lock);
    flight->record = copy;
    flight->status = status == STATUS_OK && !copy ? STATUS_NO_MEMORY : status;
    flight->error = *err;
    flight->landed = true;
    pthread_cond_broadcast(&flights->landed);
    leave(flight);
    pthread_mutex_unlock(&flights->lock);
}
