/* token.h: text to tokens, by the lexical rules of a dialect. */
#ifndef QUARRY_QUERY_LANG_TOKEN_H
#define QUARRY_QUERY_LANG_TOKEN_H

#include "query/lang/dialect.h"
#include "query/lang/lang.h"

enum keyword {
    KW_NONE,
#define K(name, flags) KW_##name,
#include "query/lang/keywords.def"
#undef K
    KW_COUNT,
};
enum keyword_flag { KW_RESERVED = 1, KW_STOP = 2, KW_QUOTE = 4 };

/* KW_NONE when the word is none. */
enum keyword keyword_find(struct str word);
const char *keyword_name(enum keyword keyword);
int keyword_flags(enum keyword keyword);

enum token_kind {
    T_END,
    T_WORD,   /* an identifier or keyword without quotes */
    T_QUOTED, /* an identifier in quotes; text is decoded */
    T_STRING, /* text is decoded */
    T_NUMBER,
    T_HEX,   /* x'..', 0x..: text is the digits */
    T_BITS,  /* b'..' */
    T_PARAM, /* ?, ?1, $1, $name, :name, @name */
    T_OP,
};

struct token {
    uint8_t kind;
    bool spaced; /* white space or a comment stands before it */
    uint16_t keyword;
    uint32_t offset;
    uint32_t len;
    uint32_t op; /* T_OP: its bytes, see OP */
    struct str text;
};

/* An operator's bytes as a number, so that it can stand in a switch. */
#define OP1(a)          ((uint32_t)(unsigned char)(a))
#define OP2(a, b)       (OP1(a) | OP1(b) << 8)
#define OP3(a, b, c)    (OP2(a, b) | OP1(c) << 16)
#define OP4(a, b, c, d) (OP3(a, b, c) | OP1(d) << 24)

/* The tokens of `text`, ended by T_END. Strings and names point into the text where they need no
 * decoding. */
enum status token_read(struct arena *arena, struct str text, const struct dialect *dialect,
                       size_t max_tokens, struct token **ret_tokens, size_t *ret_count,
                       struct lang_problem *problem);

/* Fills line and column from the offset. */
void problem_place(struct lang_problem *problem, struct str text);

#endif
