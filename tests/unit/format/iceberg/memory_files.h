/* memory_files.h: files by URI in memory, and a loader over them. */
#ifndef QUARRY_TESTS_ICEBERG_MEMORY_FILES_H
#define QUARRY_TESTS_ICEBERG_MEMORY_FILES_H

#include "format/iceberg/table.h"

enum { MEMORY_FILES_SLOTS = 1 << 14 };

struct memory_file {
    struct memory_file *next;
    struct str path;
    struct slice bytes;
};

struct memory_files {
    struct arena arena;
    struct memory_file *slots[MEMORY_FILES_SLOTS];
    uint64_t loads;
};

static inline void memory_files_init(struct memory_files *files)
{
    memset(files->slots, 0, sizeof files->slots);
    files->loads = 0;
    arena_init(&files->arena, (size_t)4 << 30);
}

static inline void memory_files_release(struct memory_files *files)
{
    arena_release(&files->arena);
}

static inline void memory_files_put(struct memory_files *files, struct str path, struct slice bytes)
{
    struct memory_file *file = ARENA_NEW(&files->arena, struct memory_file);
    struct memory_file **slot = &files->slots[str_hash(path) % MEMORY_FILES_SLOTS];
    struct str copy = arena_str(&files->arena, str_make(bytes.data, bytes.len));
    *file = (struct memory_file){*slot, arena_str(&files->arena, path), {copy.data, copy.len}};
    *slot = file;
}

static inline enum status memory_files_load(void *context, struct str path, struct arena *arena,
                                            struct slice *ret, struct error *err)
{
    struct memory_files *files = context;
    (void)arena;
    files->loads++;
    struct memory_file *file = files->slots[str_hash(path) % MEMORY_FILES_SLOTS];
    while (file && !str_eq(file->path, path))
        file = file->next;
    if (!file)
        return error_set(err, STATUS_NOT_FOUND, "%.*s is not there", (int)path.len, path.data);
    *ret = file->bytes;
    return STATUS_OK;
}

#endif
