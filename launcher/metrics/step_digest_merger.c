/* A ring of steps that some shards have told of and others have not. Shards are at most a few steps apart, and tell of
 * STEP_BATCH_STEPS at a time; but that holds for what they send, not for what has arrived: after a pause the coordinator reads
 * what one connection has gathered, and then what the next one has. So the ring grows. */
#include "launcher/metrics/step_digest_merger.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/step_digest.h"
#include "common/net/step_batch.h"

#define RING_LEAST (STEP_BATCH_STEPS * 4) /* steps between the first incomplete one and the last that a shard has told of */

struct step_digest_merger {
    run_events_t *events;
    int shards;
    uint32_t tables;
    int64_t words;    /* of a step */
    int64_t first;    /* the first step that is not written; -1 before the first message */
    int64_t *next;    /* [shards] the step that a shard tells of next */
    int64_t ring;     /* steps that fit; step s lies at s % ring */
    int *heard;       /* [ring] shards that have told of the step */
    uint64_t *merged; /* [ring][words] */
};

step_digest_merger_t *step_digest_merger_create(run_events_t *events, int shards, uint32_t tables)
{
    step_digest_merger_t *l = MEM_NEW(step_digest_merger_t);
    l->events = events;
    l->shards = shards;
    l->tables = tables;
    l->words = step_digest_words(tables);
    l->first = -1;
    l->next = MEM_ARRAY(int64_t, shards);
    l->ring = RING_LEAST;
    l->heard = MEM_ARRAY(int, l->ring);
    l->merged = MEM_ARRAY(uint64_t, l->ring * l->words);
    return l;
}

void step_digest_merger_destroy(step_digest_merger_t **merger)
{
    step_digest_merger_t *l = *merger;
    if (!l)
        return;
    mem_free(l->next);
    mem_free(l->heard);
    mem_free(l->merged);
    mem_free(l);
    *merger = NULL;
}

/* Room for the steps up to, and without, `end`. */
static void make_room(step_digest_merger_t *l, int64_t end)
{
    int64_t ring = l->ring;
    while (end - l->first > ring)
        ring *= 2;
    if (ring == l->ring)
        return;
    int *heard = MEM_ARRAY(int, ring);
    uint64_t *merged = MEM_ARRAY(uint64_t, ring * l->words);
    for (int64_t step = l->first; step < l->first + l->ring; step++) {
        heard[step % ring] = l->heard[step % l->ring];
        memcpy(merged + step % ring * l->words, l->merged + step % l->ring * l->words, sizeof *merged * (size_t)l->words);
    }
    mem_free(l->heard);
    mem_free(l->merged);
    l->ring = ring;
    l->heard = heard;
    l->merged = merged;
}

static status_t emit(const step_digest_merger_t *l, int64_t step, int64_t component, const uint64_t *words, int64_t n,
                     bool more)
{
    return run_events_emit(l->events, &(run_event_t){.kind = EVENT_DIGEST, .digest = {step, component, words, n, more}});
}

static bool is_complete(const step_digest_merger_t *l, int64_t step)
{
    return l->heard[step % l->ring] == l->shards;
}

static status_t emit_complete(step_digest_merger_t *l)
{
    while (is_complete(l, l->first)) {
        const int64_t step = l->first++;
        uint64_t *words = l->merged + step % l->ring * l->words;
        l->heard[step % l->ring] = 0;
        const status_t status = emit(l, step, -1, words, l->words, is_complete(l, l->first));
        memset(words, 0, sizeof *words * (size_t)l->words);
        TRY(status);
    }
    return ST_OK;
}

status_t step_digest_merger_put_rows(step_digest_merger_t *l, int shard, const net_message_t *message)
{
    const int64_t step = message->header.step, steps = message->header.count;
    ASSERT(shard >= 0 && shard < l->shards);
    if (step < 0 || steps < 0 || steps > STEP_BATCH_STEPS ||
        message->frame[0].bytes != steps * l->words * (int64_t)sizeof(uint64_t))
        return FAIL(ST_MESSAGE, "shard %d sent digests of %" PRId64 " steps in %" PRId64 " bytes; a step has %" PRId64, shard,
                    steps, message->frame[0].bytes, (l->words * (int64_t)sizeof(uint64_t)));
    if (l->first < 0) {
        l->first = step; /* 0, or where a checkpoint was taken up */
        for (int s = 0; s < l->shards; s++)
            l->next[s] = step;
    }
    if (step != l->next[shard])
        return FAIL(ST_MESSAGE,
                    "shard %d sent digests of steps %" PRId64 " to %" PRId64 "; those from %" PRId64 " on come next", shard,
                    step, (step + steps - 1), l->next[shard]);
    make_room(l, step + steps);
    for (int64_t i = 0; i < steps; i++) {
        step_digest_merge(l->merged + (step + i) % l->ring * l->words, (const uint64_t *)message->frame[0].data + i * l->words,
                          l->tables);
        l->heard[(step + i) % l->ring]++;
    }
    l->next[shard] += steps;
    return emit_complete(l);
}

status_t step_digest_merger_put_dense(step_digest_merger_t *l, const net_message_t *message)
{
    const int64_t step = message->header.step, steps = message->header.count;
    const int64_t words = message->frame[0].bytes / (int64_t)sizeof(uint64_t);
    if (step < 0 || steps < 1 || words % steps)
        return FAIL(ST_MESSAGE, "digests of the dense parameters of %" PRId64 " steps came in %" PRId64 " words", steps, words);
    for (int64_t i = 0; i < steps; i++)
        TRY(emit(l, step + i, wire_component(&message->header), (const uint64_t *)message->frame[0].data + i * (words / steps),
                 words / steps, i + 1 < steps));
    return ST_OK;
}
