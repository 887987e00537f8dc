/* sim_int.h: files and directories of the simulated disk.
 *
 * A node is a file or a directory and has two states: the current one, which calls see, and the
 * durable one, which a power cut leaves. A node lives while a directory (in either state), an open
 * file or a pending operation holds it.
 *
 * Operations on names stand in one list, oldest first, until a sync_dir makes them durable. */
#ifndef QUARRY_SYS_SIM_SIM_INT_H
#define QUARRY_SYS_SIM_SIM_INT_H

#include <pthread.h>

#include "sys/sim/sim.h"

enum { SIM_NAME_MAX = 255 };

struct sim_image {
    unsigned char *data;
    uint64_t size, cap; /* bytes from size to cap are zero */
};

struct sim_entry {
    char *name;
    struct sim_node *node;
};

/* Sorted by name. */
struct sim_names {
    struct sim_entry *entries;
    size_t count, cap;
};

struct sim_node {
    int holders;
    bool is_dir;
    int64_t modified_us;
    struct sys_file *locked_by;
    /* A file; bytes outside [dirty_from, dirty_to) are the same in both. */
    struct sim_image current, durable;
    uint64_t dirty_from, dirty_to;
    /* A directory */
    struct sim_names names, durable_names;
};

/* name in dir now means node (NULL: nothing) */
struct sim_change {
    struct sim_node *dir;
    char *name;
    struct sim_node *node;
};

struct sim_op {
    struct sim_change changes[2];
    int count;
};

struct sim {
    struct sys sys; /* first */
    pthread_mutex_t mutex;
    struct sim_node *root;
    struct sim_op *ops;
    size_t op_count, op_cap;
    uint64_t used, capacity;
    int64_t now_us;
    uint64_t random;
    uint64_t epoch; /* power cuts so far */
};

struct sys_file {
    struct sim_node *node;
    unsigned flags;
    uint64_t epoch;
};

/* splitmix64 (Vigna 2015) */
uint64_t sim_next_random(uint64_t *state);

/* sim_node.c */
struct sim_node *sim_node_new(bool is_dir);
struct sim_node *sim_node_hold(struct sim_node *node);
void sim_node_drop(struct sim *sim, struct sim_node *node); /* NULL is fine */
bool sim_image_resize(struct sim_image *image, uint64_t size);
void sim_node_dirty(struct sim_node *node, uint64_t from, uint64_t to);
/* The durable bytes become the current ones; false when memory is out (then nothing changed). */
bool sim_node_sync(struct sim_node *node);
struct sim_node *sim_names_find(const struct sim_names *names, const char *name);
/* node NULL removes the name. False when memory is out. */
bool sim_names_set(struct sim *sim, struct sim_names *names, const char *name,
                   struct sim_node *node);
bool sim_names_copy(struct sim *sim, struct sim_names *to, const struct sim_names *from);
void sim_names_clear(struct sim *sim, struct sim_names *names);

/* sim_journal.c */
/* Does the changes now and notes them as one operation. */
enum status sim_journal_do(struct sim *sim, const struct sim_change *changes, int count,
                           struct error *err);
enum status sim_journal_sync_dir(struct sim *sim, struct sim_node *dir, struct error *err);
void sim_journal_clear(struct sim *sim);

#endif
