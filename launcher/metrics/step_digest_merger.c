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
    step_digest_options_t o;
    int64_t words;       /* of a step */
    int64_t first;       /* the first step that is not written */
    int64_t *next;       /* [shards] the step that a shard tells of next */
    int64_t *next_dense; /* [groups] the step that a group's leader tells of next */
    int64_t ring;        /* steps that fit; step s lies at s % ring */
    int *heard;          /* [ring] shards that have told of the step */
    uint64_t *merged;    /* [ring][words] */
};

step_digest_merger_t *step_digest_merger_create(const step_digest_options_t *options)
{
    step_digest_merger_t *l = MEM_NEW(step_digest_merger_t);
    ASSERT(options->shards > 0 && options->groups > 0 && options->components % options->groups == 0);
    l->o = *options;
    l->words = step_digest_words(options->tables);
    l->first = options->first_rows;
    l->next = MEM_ARRAY(int64_t, options->shards);
    for (int s = 0; s < options->shards; s++)
        l->next[s] = options->first_rows;
    l->next_dense = MEM_ARRAY(int64_t, options->groups);
    for (int g = 0; g < options->groups; g++)
        l->next_dense[g] = options->first_dense;
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
    mem_free(l->next_dense);
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
    return run_events_emit(l->o.events, &(run_event_t){.kind = EVENT_DIGEST, .digest = {step, component, words, n, more}});
}

static bool is_complete(const step_digest_merger_t *l, int64_t step)
{
    return l->heard[step % l->ring] == l->o.shards;
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

/* The steps that a sender tells of next, each in so many words. */
static status_t check_steps(const step_digest_merger_t *l, const net_message_t *message, int64_t next, int64_t words)
{
    const int64_t step = message->header.step, steps = message->header.count;
    if (step != next || steps > l->o.end - step)
        return REFUSE("digests of steps %" PRId64 " to %" PRId64 " came; those from %" PRId64 " on come next, up to %" PRId64,
                      step, step + steps - 1, next, l->o.end - 1);
    if (message->frame[0].bytes != steps * words * (int64_t)sizeof(uint64_t))
        return REFUSE("digests of %" PRId64 " steps came in %" PRId64 " bytes; a step has %" PRId64, steps,
                      message->frame[0].bytes, words * (int64_t)sizeof(uint64_t));
    return ST_OK;
}

status_t step_digest_merger_put_rows(step_digest_merger_t *l, int shard, const net_message_t *message)
{
    const int64_t step = message->header.step, steps = message->header.count;
    ASSERT(shard >= 0 && shard < l->o.shards);
    TRY(check_steps(l, message, l->next[shard], l->words));
    make_room(l, step + steps);
    for (int64_t i = 0; i < steps; i++) {
        step_digest_merge(l->merged + (step + i) % l->ring * l->words, (const uint64_t *)message->frame[0].data + i * l->words,
                          l->o.tables);
        l->heard[(step + i) % l->ring]++;
    }
    l->next[shard] += steps;
    return emit_complete(l);
}

status_t step_digest_merger_put_dense(step_digest_merger_t *l, int group, const net_message_t *message)
{
    const int64_t step = message->header.step, steps = message->header.count;
    const int64_t words = l->o.components / l->o.groups;
    ASSERT(group >= 0 && group < l->o.groups);
    if (wire_component(&message->header) != group * words)
        return REFUSE("digests of dense parameters from component %u on came from group %d", wire_component(&message->header),
                      group);
    TRY(check_steps(l, message, l->next_dense[group], words));
    for (int64_t i = 0; i < steps; i++)
        TRY(emit(l, step + i, wire_component(&message->header), (const uint64_t *)message->frame[0].data + i * words, words,
                 i + 1 < steps));
    l->next_dense[group] += steps;
    return ST_OK;
}
