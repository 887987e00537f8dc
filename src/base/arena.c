#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_MAX_BLOCK = 1 << 20, ARENA_ALIGN = 16 };

struct arena_block {
    struct arena_block *next;
    size_t size;
    _Alignas(ARENA_ALIGN) char data[];
};

void arena_init(struct arena *arena, size_t limit)
{
    *arena =
        (struct arena){.limit = limit ? limit : (size_t)1 << 30, .next_size = ARENA_FIRST_BLOCK};
}

void arena_release(struct arena *arena)
{
    struct arena_block *block = arena->head;
    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    arena_init(arena, arena->limit);
}

static struct arena_block *arena_grow(struct arena *arena, size_t size)
{
    size_t want = size > arena->next_size ? size : arena->next_size;
    if (want > arena->limit - arena->total)
        return NULL;
    struct arena_block *block = calloc(1, sizeof *block + want);
    if (!block)
        return NULL;
    block->size = want;
    block->next = arena->head;
    arena->head = block;
    arena->used = 0;
    arena->total += want;
    if (arena->next_size < ARENA_MAX_BLOCK)
        arena->next_size *= 2;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    struct arena_block *block = arena->head;
    if (!block || block->size - arena->used < size) {
        block = arena_grow(arena, size ? size : ARENA_ALIGN);
        if (!block)
            return NULL;
    }
    void *p = block->data + arena->used;
    arena->used += size;
    return p;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return arena_alloc(arena, bytes);
}

struct str arena_str(struct arena *arena, struct str s)
{
    char *copy = arena_alloc(arena, s.len + 1);
    if (!copy)
        return STR_NONE;
    if (s.len)
        memcpy(copy, s.data, s.len);
    return str_make(copy, s.len);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return NULL;
    char *text = arena_alloc(arena, (size_t)n + 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}
