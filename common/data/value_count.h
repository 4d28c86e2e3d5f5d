/* value_count.h - how often each value of a categorical field occurs, exactly, and the texts of the frequent ones. */
#ifndef SMELTER_VALUE_COUNT_H
#define SMELTER_VALUE_COUNT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct value_count value_count_t;

value_count_t *value_count_create(void);
void value_count_destroy(value_count_t **counts);

/* value_count_add - the value was seen `times` times more. */
void value_count_add(value_count_t *counts, uint64_t key, int64_t times);

/* value_count_name - remember the text of a value, where it may still become one of the most frequent. Cut at 47 bytes. */
void value_count_name(value_count_t *counts, uint64_t key, const char *text, int bytes);

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
