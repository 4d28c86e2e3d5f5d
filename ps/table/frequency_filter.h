/* frequency_filter.h - keys that were seen too rarely to have a row of their own (embedding.min_count).
 *
 * Most keys of a click log are seen once or twice. Until a key has come in min_count pushed steps, all keys like it share their
 * slot's default row: pulls see its weights, and each step adds up their gradients, merged over the senders, in ascending order
 * of keys, for one step of that row. Slots and keys alone decide what is added in which order, so the result is that of any
 * number of workers and shards. The push that completes the count makes the row, with its initial value.
 *
 * A table with min_count has two more tables for this. Both are tables like any other, so that saving, spilling and restoring
 * cover them:
 *
 *     counts    a row of one weight, 0, for each key without a row: its count and version are what matters
 *     defaults  a row for each slot, under a key of that slot; always in memory
 *
 * A key's count is forgotten when it gets its row; should it come back with an older checkpoint, it is not looked at while the
 * row is there, and once that has expired so has the count.                                                            */
#ifndef SMELTER_FREQUENCY_FILTER_H
#define SMELTER_FREQUENCY_FILTER_H

#include "ps/table/table.h"

/* Of the tables that the filter adds to `tables` tables, the counts of table t are number tables + t, its default rows number
 * 2 * tables + t. */
#define FREQUENCY_FILTER_KINDS 3

/* frequency_filter_counts, frequency_filter_defaults - options of a table's companions, from its own and the number of
 * tables. */
table_options_t frequency_filter_counts(const table_options_t *options, uint32_t tables);
table_options_t frequency_filter_defaults(const table_options_t *options, uint32_t tables);

/* frequency_filter_default_key - the key of a slot's default row; hash_slot gives the slot back. */
uint64_t frequency_filter_default_key(uint32_t slot);

#endif
