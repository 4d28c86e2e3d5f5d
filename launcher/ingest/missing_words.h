/* missing_words.h - words that stand for nothing in a column, as a schema's missing: lists them (NA, NULL, \N). */
#ifndef SMELTER_MISSING_WORDS_H
#define SMELTER_MISSING_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct missing_words {
    char *text; /* **owned** */
    const char **word;
    size_t *bytes;
    int count;
} missing_words_t;

/* missing_words_init - text has a word per line, or is one; NULL and "" are none. missing_words_fini. */
void missing_words_init(missing_words_t *words, const char *text);
void missing_words_fini(missing_words_t *words);

static inline bool missing_words_has(const missing_words_t *words, const char *text, size_t bytes)
{
    for (int i = 0; i < words->count; i++)
        if (words->bytes[i] == bytes && memcmp(words->word[i], text, bytes) == 0)
            return true;
    return false;
}

#endif
