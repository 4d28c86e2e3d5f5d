/* A shard holds back messages, never data: a pull or push that may not take effect yet stays in its transport frames, in a ring
 * of the next RING steps with one place per worker, and advance() looks which of them the rules release.
 *
 *              step   applied       applied+1     ...      applied+d
 *     pull[w]         held/answered held/answered          held/answered   <- answered while step <= applied + d
 *     push[w]         held          held                   -               <- applied when all W are held and every
 *                                                                             pull of step applied + d was answered
 *
 * Rejected: copying held pushes into a merge buffer on arrival. It would touch the gradients once more and make the sum depend
 * on arrival order. Rejected: one thread per table. Tables of a step are small; a thread per shard already fills a core.
 *
 * A flagged PULL of step s announces a cut before s. Until the cut is made, pulls of steps >= s are not answered, and at
 * bounded and async pushes of steps >= s are not applied. Whatever overtakes whatever, the flag is here in time: a worker
 * pushes step s when its pull of s was answered, and sync and invariant apply the push of s - d when all pulls of s were. So
 * the cut may wait for its moment, and for the cut before it to be durable, without any message. */
#include "common/base/log.h"

#include "ps/shard_impl.h"
#include <inttypes.h>

/* Of how many steps before a cut the pushes are pending. */
int64_t shard_cut_depth(const shard_t *shard)
{
    return shard_is_ordered(shard) ? shard->config->train.pipeline_depth : 0;
}

/* The first step whose pulls are not answered yet: before anything is applied, those of the first d + 1 are answered at
 * once. */
static int64_t first_unanswered(const shard_t *shard)
{
    return shard->applied == shard->first_applied ? shard->first_step : shard->applied + shard->config->train.pipeline_depth;
}

/* ---- the cut ------------------------------------------------------------------------------------------------------------- */

/* Before which step no pull may see, and no push may do, anything until a cut is made. */
static int64_t cut_limit(const shard_t *shard)
{
    return shard->n_cuts > 0 ? shard->cuts[0] : INT64_MAX;
}

/* Whether all that belongs into the cut before `step` has happened. Nothing more has, by cut_limit. */
static bool is_cut_due(const shard_t *shard, int64_t step)
{
    if (!shard_is_ordered(shard)) {
        for (int w = 0; w < shard->workers; w++)
            if (shard->pushed[w] < step)
                return false;
        return true;
    }
    const int64_t seen = step - shard->config->train.pipeline_depth;
    if (shard->applied != (seen > 0 ? seen : 0))
        return false;
    for (int64_t before = first_unanswered(shard); before < step; before++)
        for (int w = 0; w < shard->workers; w++)
            if (shard_place(shard, shard->pulls, before, w)->place != PLACE_DONE)
                return false;
    return true;
}

/* A push that no row has seen, for the cut under way. */
static void save_push(shard_t *shard, const net_message_t *push, int worker)
{
    const int64_t step = push->header.step;
    if (!shard->snapshot || !shard_snapshot_takes_push(shard->snapshot, step))
        return;
    const wire_segment_t *segments = push->frame[0].data;
    const uint64_t *keys = push->frame[1].data;
    const float *g = push->frame[2].data;
    for (int64_t i = 0; i < push->frame[0].bytes / (int64_t)sizeof *segments; i++) {
        const uint32_t table = wire_table(segments[i].table);
        const int dim = table_options(shard->tables[table])->dim, sender = (int)shard_leaf(shard, worker, segments[i].table);
        for (uint32_t k = 0; k < segments[i].count; k++, keys++, g += dim)
            shard_snapshot_push(shard->snapshot, step, sender, table, *keys, g);
    }
    shard_snapshot_pushed(shard->snapshot);
}

static void save_restored_push(void *context, int64_t step, int sender, uint32_t table, uint64_t key, const float *g)
{
    shard_snapshot_push(context, step, sender, table, key, g);
}

/* The moment of the cut. At ordered levels the pushes of the last d steps before it are pending: some are here, held or from
 * the checkpoint that the run began with, and handle_push sees the others. Saving them as they come, not as they are applied,
 * lets the next cut be made before they are. */
static void freeze(shard_t *shard, int64_t step)
{
    const int64_t end = shard_is_ordered(shard) ? step : 0;
    const int64_t own = shard->applied > shard->first_step ? shard->applied : shard->first_step; /* first push of this run */
    const int64_t restored =
        end > shard->applied && shard->first_step > shard->applied ? shard->first_step - shard->applied : 0;
    shard_snapshot_freeze(shard->snapshot, step, restored + (end > own ? (end - own) * shard->workers : 0),
                          net_now_ns(shard->o.net));
    for (int64_t t = shard->applied; t < end; t++)
        if (t < shard->first_step) {
            if (shard->pending)
                pending_gradients_visit(shard->pending, t, save_restored_push, shard->snapshot);
            shard_snapshot_pushed(shard->snapshot);
        } else {
            for (int w = 0; w < shard->workers; w++) {
                const held_t *push = shard_place(shard, shard->pushes, t, w);
                if (push->place == PLACE_HELD)
                    save_push(shard, &push->message, w);
            }
        }
}

/* Make the next cut if it is time. True: it was made, and messages may be released. */
static bool make_cut(shard_t *shard)
{
    if (shard->n_cuts == 0 || !is_cut_due(shard, shard->cuts[0]))
        return false;
    if (shard_snapshot_is_saving(shard->snapshot)) {
        if (!shard->is_stalled)
            log_info("shard %d waits before step %" PRId64
                     ": the checkpoint before is not on disk yet; checkpoints are asked for faster "
                     "than this disk takes them",
                     shard->o.shard, shard->cuts[0]);
        shard->is_stalled = true;
        return false;
    }
    shard->last_cut = shard->cuts[0];
    shard->n_cuts--;
    memmove(shard->cuts, shard->cuts + 1, (size_t)shard->n_cuts * sizeof *shard->cuts);
    freeze(shard, shard->last_cut);
    return true;
}

/* Note the flag of a pull. NULL, or why there can be no cut. */
static const char *ask_cut(shard_t *shard, int64_t step)
{
    int at = shard->n_cuts;
    if (!shard->snapshot || step <= shard->first_step || step >= shard->steps)
        return "there can be no cut before its step";
    if (step <= shard->last_cut)
        return NULL; /* made when another worker's came */
    while (at > 0 && shard->cuts[at - 1] > step)
        at--;
    if (at > 0 && shard->cuts[at - 1] == step)
        return NULL;
    if (shard->n_cuts == SHARD_RING)
        return "too many cuts were asked for";
    memmove(shard->cuts + at + 1, shard->cuts + at, (size_t)(shard->n_cuts - at) * sizeof *shard->cuts);
    shard->cuts[at] = step;
    shard->n_cuts++;
    return NULL;
}

/* ---- release of held messages -------------------------------------------------------------------------------------------- */

/* May the pushes of step `applied` be applied: all are here, and all pulls that must not see them were answered? */
static bool step_complete(const shard_t *shard)
{
    const int64_t last = shard->applied + shard->config->train.pipeline_depth;
    for (int w = 0; w < shard->workers; w++) {
        if (shard->applied >= shard->first_step && shard_place(shard, shard->pushes, shard->applied, w)->place != PLACE_HELD)
            return false;
        for (int64_t step = first_unanswered(shard); step <= last; step++)
            if (shard_place(shard, shard->pulls, step, w)->place != PLACE_DONE)
                return false;
    }
    return true;
}

/* Answer a worker's held pulls of steps first .. end - 1. */
static status_t answer_held(shard_t *shard, int worker, int64_t first, int64_t end)
{
    for (int64_t step = first; step < end && step < first + SHARD_RING; step++) {
        held_t *pull = shard_place(shard, shard->pulls, step, worker);
        if (pull->place == PLACE_HELD) {
            pull->place = shard_is_ordered(shard) ? PLACE_DONE : PLACE_EMPTY;
            TRY(shard_answer(shard, &pull->message, false));
        }
    }
    return ST_OK;
}

/* Apply the pushes of step `applied`, which are all here, or came with the checkpoint. */
static void apply_ordered(shard_t *shard)
{
    shard_set_step(shard, shard->applied);
    if (shard->applied < shard->first_step) {
        if (shard->pending)
            pending_gradients_apply(shard->pending, shard->applied);
        if (shard->applied + 1 == shard->first_step)
            pending_gradients_destroy(&shard->pending);
        return;
    }
    for (int w = 0; w < shard->workers; w++)
        shard->ready[w] = &shard_place(shard, shard->pushes, shard->applied, w)->message;
    shard_apply(shard, shard->ready, shard->workers, shard->applied);
    for (int w = 0; w < shard->workers; w++) {
        held_t *push = shard_place(shard, shard->pushes, shard->applied, w);
        net_release(shard->o.net, &push->message);
        push->place = PLACE_EMPTY;
    }
}

status_t shard_take_step(shard_t *shard)
{
    TRY(shard_digest_step(shard, shard->applied));
    apply_ordered(shard);
    shard_digest_end(shard);
    return ST_OK;
}

/* Release whatever the rules of sync and invariant allow now. */
static status_t advance_ordered(shard_t *shard)
{
    const int64_t depth = shard->config->train.pipeline_depth;
    for (;;) {
        const int64_t first = first_unanswered(shard), end = shard->applied + depth + 1, limit = cut_limit(shard);
        for (int w = 0; w < shard->workers; w++)
            TRY(answer_held(shard, w, first, end < limit ? end : limit));
        if (make_cut(shard))
            continue;
        if (!step_complete(shard))
            return ST_OK;
        TRY(shard_take_step(shard));
        for (int64_t step = first; step < end; step++)
            for (int w = 0; w < shard->workers; w++)
                shard_place(shard, shard->pulls, step, w)->place = PLACE_EMPTY;
        shard->applied++;
    }
}

/* Apply a push as it comes; those of one worker may have overtaken each other. */
static void apply_unordered(shard_t *shard, net_message_t *message, int worker)
{
    const int64_t step = message->header.step;
    shard_set_step(shard, step);
    shard_apply(shard, &message, 1, step);
    net_release(shard->o.net, message);
    shard_place(shard, shard->pushes, step, worker)->place = PLACE_DONE;
    for (;; shard->pushed[worker]++) {
        held_t *first = shard_place(shard, shard->pushes, shard->pushed[worker], worker);
        if (first->place != PLACE_DONE)
            break;
        first->place = PLACE_EMPTY;
    }
}

/* Apply the pushes that waited for the cut. */
static void apply_held(shard_t *shard)
{
    for (int w = 0; w < shard->workers; w++) {
        const int64_t first = shard->pushed[w],
                      end = first + SHARD_RING < cut_limit(shard) ? first + SHARD_RING : cut_limit(shard);
        for (int64_t step = first; step < end; step++) {
            held_t *push = shard_place(shard, shard->pushes, step, w);
            if (push->place == PLACE_HELD)
                apply_unordered(shard, &push->message, w);
        }
    }
}

/* Make the cut if it is time, and answer the held pulls that it and the staleness bound allow now. */
static status_t advance_unordered(shard_t *shard)
{
    const bool is_async = shard->config->determinism == DETERMINISM_ASYNC;
    while (make_cut(shard))
        apply_held(shard);
    int64_t slowest = shard->pushed[0];
    for (int w = 1; w < shard->workers; w++)
        slowest = shard->pushed[w] < slowest ? shard->pushed[w] : slowest;
    const int64_t limit = cut_limit(shard), bound = is_async ? INT64_MAX : slowest + shard->config->train.staleness + 1;
    for (int w = 0; w < shard->workers; w++)
        TRY(answer_held(shard, w, shard->pushed[w], limit < bound ? limit : bound));
    return ST_OK;
}

bool shard_is_trained(const shard_t *shard)
{
    bool all = true;
    for (int w = 0; w < shard->workers && !shard_is_ordered(shard); w++)
        all = all && shard->pushed[w] >= shard->steps;
    return all && (!shard_is_ordered(shard) || shard->applied >= shard->steps);
}

status_t shard_advance(shard_t *shard)
{
    return shard_is_ordered(shard) ? advance_ordered(shard) : advance_unordered(shard);
}

static status_t drop_duplicate(shard_t *shard, net_message_t *message)
{
    shard->counters.duplicates++;
    net_release(shard->o.net, message);
    return ST_OK;
}

/* Did this worker's pull of the step, which is not a future one, come before? */
static bool was_pulled(const shard_t *shard, int64_t step, int worker)
{
    if (step < (shard_is_ordered(shard) ? first_unanswered(shard) : shard->pushed[worker]) ||
        reply_cache_get(shard->replies, worker, step))
        return true;
    if (shard_place(shard, shard->pulls, step, worker)->place != PLACE_EMPTY)
        return true;
    return !shard_is_ordered(shard) &&
           shard_place(shard, shard->pushes, step, worker)->place != PLACE_EMPTY; /* who pushes has pulled */
}

/* A pull that came before: the same answer again if the first may have been lost; none where the pull is held, or where a push
 * shows that the worker has its rows. */
static status_t handle_pull_again(shard_t *shard, net_message_t *message, int worker)
{
    const int64_t step = message->header.step;
    const held_t *pull = shard_place(shard, shard->pulls, step, worker);
    const reply_t *reply = reply_cache_get(shard->replies, worker, step);
    const bool is_held = pull->place == PLACE_HELD && pull->message.header.step == step;
    const uint64_t sequence = message->header.sequence;
    if ((reply && reply->sequence != sequence) || (is_held && pull->message.header.sequence != sequence))
        return shard_refuse(shard, message, "this step was pulled before");
    const int peer = message->peer;
    TRY(drop_duplicate(shard, message));
    if (!reply)
        return ST_OK;
    return shard_send_rows(shard, peer, reply);
}

status_t shard_take_pull(shard_t *shard, net_message_t *message, int worker)
{
    const int64_t step = message->header.step;
    const bool is_cut = wire_pull_is_cut(&message->header);
    if (step >= (shard_is_ordered(shard) ? shard->applied : shard->pushed[worker]) + SHARD_RING ||
        step > shard->steps + shard_cut_depth(shard)) /* the last ones are to drain */
        return shard_refuse(shard, message, "its step is not among those in flight");
    if (was_pulled(shard, step, worker))
        return handle_pull_again(shard, message, worker);
    const char *reason = is_cut ? ask_cut(shard, step) : NULL;
    if (reason)
        return shard_refuse(shard, message, reason);
    if (shard->config->determinism == DETERMINISM_ASYNC && shard->n_cuts == 0)
        return shard_answer(shard, message, false);
    held_t *pull = shard_place(shard, shard->pulls, step, worker);
    pull->place = PLACE_HELD;
    pull->message = *message;
    TRY(shard_advance(shard));
    if (pull->place == PLACE_HELD)
        shard_prefetch(shard, &pull->message);
    return ST_OK;
}

status_t shard_take_push(shard_t *shard, net_message_t *message, int worker)
{
    const int64_t step = message->header.step;
    int64_t oldest = shard_is_ordered(shard) ? shard->applied : shard->pushed[worker];
    oldest = oldest < shard->first_step ? shard->first_step : oldest;
    const uint64_t sequence = message->header.sequence;
    replay_window_t *window = &shard->windows[worker];
    if (!replay_window_reaches(window, sequence))
        return shard_refuse(shard, message, "its sequence number does not follow those before");
    if (replay_window_has(window, sequence))
        return drop_duplicate(shard, message);
    if (step < oldest || step >= oldest + SHARD_RING || step >= shard->steps)
        return shard_refuse(shard, message, "its step is not among those in flight");
    held_t *push = shard_place(shard, shard->pushes, step, worker);
    if (push->place != PLACE_EMPTY)
        return shard_refuse(shard, message, "this step was pushed before");
    if (!reply_cache_get(shard->replies, worker, step))
        return shard_refuse(shard, message, "its rows were not pulled, or are not answered yet");
    ASSERT(replay_window_accept(window, sequence));
    reply_cache_drop(shard->replies, worker, step);
    if (shard_is_ordered(shard) || step >= cut_limit(shard)) {
        push->place = PLACE_HELD;
        push->message = *message;
        if (!shard_is_ordered(shard))
            return ST_OK;
        save_push(shard, &push->message, worker);
        return advance_ordered(shard);
    }
    apply_unordered(shard, message, worker);
    if (shard->config->determinism == DETERMINISM_ASYNC && shard->n_cuts == 0)
        return ST_OK;
    return advance_unordered(shard);
}

void shard_drop_held(shard_t *shard)
{
    for (int i = 0; shard->pulls && i < SHARD_RING * shard->workers; i++) {
        if (shard->pulls[i].place == PLACE_HELD)
            net_release(shard->o.net, &shard->pulls[i].message);
        if (shard->pushes[i].place == PLACE_HELD)
            net_release(shard->o.net, &shard->pushes[i].message);
        shard->pulls[i].place = shard->pushes[i].place = PLACE_EMPTY;
    }
    reply_cache_clear(shard->replies);
}
