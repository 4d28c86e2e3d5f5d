/* An open-addressing table of ids, at most half full, over an array of values in the order of their ids. */
#include "common/metrics/dense_ids.h"

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/status.h"

#define FIRST_PLACES 64

struct dense_ids {
    uint64_t *value; /* [value_capacity], by id */
    size_t value_capacity;
    int64_t count;
    int64_t *place;  /* [places], id + 1, or 0 where empty */
    uint64_t places; /* a power of two */
};

dense_ids_t *dense_ids_create(void)
{
    dense_ids_t *ids = MEM_NEW(dense_ids_t);
    ids->places = FIRST_PLACES;
    ids->place = MEM_ARRAY(int64_t, ids->places);
    return ids;
}

void dense_ids_destroy(dense_ids_t **ids)
{
    if (!*ids)
        return;
    mem_free((*ids)->value);
    mem_free((*ids)->place);
    mem_free(*ids);
    *ids = NULL;
}

/* The place that holds the value, or the empty one where it belongs. */
static uint64_t place_of(const dense_ids_t *ids, uint64_t value)
{
    uint64_t at = hash_mix(value) & (ids->places - 1);
    while (ids->place[at] && ids->value[ids->place[at] - 1] != value)
        at = (at + 1) & (ids->places - 1);
    return at;
}

static void grow(dense_ids_t *ids)
{
    mem_free(ids->place);
    ids->places *= 2;
    ids->place = MEM_ARRAY(int64_t, ids->places);
    for (int64_t id = 0; id < ids->count; id++)
        ids->place[place_of(ids, ids->value[id])] = id + 1;
}

int64_t dense_ids_put(dense_ids_t *ids, uint64_t value)
{
    uint64_t at = place_of(ids, value);
    if (ids->place[at])
        return ids->place[at] - 1;
    MEM_GROW(ids->value, ids->value_capacity, (size_t)ids->count + 1);
    ids->value[ids->count++] = value;
    ids->place[at] = ids->count;
    if (2 * (uint64_t)ids->count > ids->places)
        grow(ids);
    return ids->count - 1;
}

int64_t dense_ids_find(const dense_ids_t *ids, uint64_t value)
{
    return ids->place[place_of(ids, value)] - 1;
}

int64_t dense_ids_count(const dense_ids_t *ids)
{
    return ids->count;
}

uint64_t dense_ids_value(const dense_ids_t *ids, int64_t id)
{
    ASSERT(id >= 0 && id < ids->count);
    return ids->value[id];
}
