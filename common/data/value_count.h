/* value_count.h - how often each value of a categorical field occurs, exactly, and the texts of the frequent ones. */
#ifndef SMELTER_VALUE_COUNT_H
#define SMELTER_VALUE_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#define VALUE_TEXT_MOST 255 /* bytes of a text that are handed over; fewer are kept */

/* A text among others in one piece of memory, or none. */
typedef struct value_text {
    uint64_t at : 56, bytes : 8;
} value_text_t;

#define VALUE_TEXT_NONE ((value_text_t){(UINT64_C(1) << 56) - 1, 0})

typedef struct value_count value_count_t;

value_count_t *value_count_create(void);
void value_count_destroy(value_count_t **counts);

/* value_count_add - `n` different values were seen times[i] times more. Returns how many of them had not been seen before.
 *
 * texts  [n] in `memory`; remembered where the value may still become one of the most frequent, cut at 47 bytes
 * fresh  [n] room for the numbers of those that had not been seen before, or NULL
 * Cost: the cache misses of a value overlap with those of the next 16, so many values at once are cheaper than one by one. */
uint32_t value_count_add(value_count_t *counts, uint32_t n, const uint64_t *keys, const uint32_t *times,
                         const value_text_t *texts, const char *memory, uint32_t *fresh);

int64_t value_count_distinct(const value_count_t *counts);
int64_t value_count_total(const value_count_t *counts);
/* value_count_of - how often a value was seen. */
int64_t value_count_of(const value_count_t *counts, uint64_t key);

typedef struct value_top {
    uint64_t key;
    int64_t count;
    bool named;
    char text[48];
} value_top_t;

/* value_count_top - the most frequent values, most frequent first (ties by key); returns how many there are. */
int value_count_top(const value_count_t *counts, value_top_t *out, int most);

#endif
