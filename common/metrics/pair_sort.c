/* A most-significant-digit radix sort that permutes in place ("American flag sort", McIlroy, Bostic and McIlroy 1993). Each
 * part begins with the highest byte in which its words differ at all, so that words which share a beginning, as small numbers
 * and floats do, cost nothing for it; short parts are sorted by insertion. Rejected: a least-significant-digit sort, which
 * needs a second array and looks at all bytes of all words. */
#include "common/metrics/pair_sort.h"

#include <stdbool.h>

#include "common/base/status.h"

#define DIGITS 256
#define SHORT 24 /* items that insertion sorts as fast */

static bool is_below(uint64_t key, uint64_t value, uint64_t other_key, uint64_t other_value)
{
    return key != other_key ? key < other_key : value < other_value;
}

static void insert_all(uint64_t *key, uint64_t *value, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        const uint64_t k = key ? key[i] : 0, v = value[i];
        int64_t at = i;
        for (; at > 0 && is_below(k, v, key ? key[at - 1] : 0, value[at - 1]); at--) {
            if (key)
                key[at] = key[at - 1];
            value[at] = value[at - 1];
        }
        if (key)
            key[at] = k;
        value[at] = v;
    }
}

/* The word that a digit is of, and where in it. */
typedef struct digit {
    const uint64_t *word; /* NULL: all items are equal */
    int shift;
} digit_t;

static digit_t highest_difference(const uint64_t *key, const uint64_t *value, int64_t n)
{
    uint64_t keys = 0, values = 0;
    for (int64_t i = 1; i < n && key; i++)
        keys |= key[i] ^ key[0];
    for (int64_t i = 1; i < n && !keys; i++)
        values |= value[i] ^ value[0];
    const uint64_t differ = keys ? keys : values;
    return (digit_t){keys ? key : values ? value : NULL, differ ? (63 - __builtin_clzll(differ)) / 8 * 8 : 0};
}

static int digit_at(const digit_t *digit, int64_t i)
{
    return (int)(digit->word[i] >> digit->shift) & (DIGITS - 1);
}

static void swap_items(uint64_t *word, int64_t a, int64_t b)
{
    const uint64_t held = word[a];
    word[a] = word[b];
    word[b] = held;
}

/* Every item to the part of its digit; begin [DIGITS + 1] out. */
static void divide(uint64_t *key, uint64_t *value, int64_t n, const digit_t *digit, int64_t *begin)
{
    int64_t next[DIGITS];
    for (int d = 0; d <= DIGITS; d++)
        begin[d] = 0;
    for (int64_t i = 0; i < n; i++)
        begin[digit_at(digit, i) + 1]++;
    for (int d = 0; d < DIGITS; d++) {
        begin[d + 1] += begin[d];
        next[d] = begin[d];
    }
    for (int d = 0; d < DIGITS; d++)
        while (next[d] < begin[d + 1]) {
            const int64_t at = next[d], to = digit_at(digit, at);
            if (to != d) {
                if (key)
                    swap_items(key, at, next[to]);
                swap_items(value, at, next[to]);
            }
            next[to]++;
        }
}

void pair_sort(uint64_t *key, uint64_t *value, int64_t n)
{
    int64_t begin[DIGITS + 1];
    if (n <= SHORT) {
        insert_all(key, value, n);
        return;
    }
    const digit_t digit = highest_difference(key, value, n);
    if (!digit.word)
        return;
    divide(key, value, n, &digit, begin);
    for (int d = 0; d < DIGITS; d++)
        if (begin[d + 1] - begin[d] > 1)
            pair_sort(key ? key + begin[d] : NULL, value + begin[d], begin[d + 1] - begin[d]);
}
