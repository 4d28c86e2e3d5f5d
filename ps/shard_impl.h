/* shard_impl.h - what the parts of a shard share; of ps/shard*.c alone.
 *
 *     shard.c         life, messages to their handlers, work between messages
 *     shard_order.c   which pulls and pushes may take effect when, and where cuts come
 *     shard_rows.c    what a message does to rows
 *     shard_digest.c  what a step did, for the coordinator
 *     shard_run.c     BEGIN, LOAD, RESTORE, FOLD, FLUSH: a run's tables, from nothing to the store                          */
#ifndef SMELTER_SHARD_IMPL_H
#define SMELTER_SHARD_IMPL_H

#include "common/base/arena.h"
#include "common/base/pool.h"
#include "common/base/step_digest.h"
#include "common/config/table_plan.h"
#include "common/files/scratch_folder.h"
#include "common/kernels/tree.h"
#include "common/net/message.h"
#include "common/net/replay_window.h"
#include "common/net/step_batch.h"
#include "ps/checkpoint/pending_gradients.h"
#include "ps/checkpoint/shard_snapshot.h"
#include "ps/reply_cache.h"
#include "ps/shard.h"
#include "ps/table/row_cache.h"
#include "ps/table/table.h"

#define SHARD_RING 32 /* steps that may be in flight; workers run at most pipeline_depth + 2 <= 10 ahead */

typedef enum table_place {
    PLACE_EMPTY,
    PLACE_HELD,
    PLACE_DONE
} table_place_t; /* done: a pull that was answered, a push that was applied */

typedef struct held {
    table_place_t place;
    net_message_t message;
} held_t;

/* Where shard_apply is in one part of a push. */
typedef struct push_cursor {
    const wire_segment_t *segment, *end;
    const uint64_t *keys;
    const float *g;
    uint32_t leaf;
} push_cursor_t;

/* How far the run is. What comes when is in docs/PROTOCOL.md. */
typedef enum shard_phase {
    PHASE_NONE,    /* there is none */
    PHASE_BEGUN,   /* its tables are empty */
    PHASE_LOADED,  /* rows came from elsewhere */
    PHASE_TRAINS,  /* pulls have come */
    PHASE_FLUSHED, /* its rows are in the store */
} shard_phase_t;

struct shard {
    shard_options_t o;
    pool_t *pool;
    arena_t arena; /* of the arrays over workers below */

    /* The run in progress; tables are NULL between runs. */
    config_t *config;
    config_t *told;       /* what CONFIG brought, a teacher's, for the next BEGIN; or NULL */
    int32_t *told_widths; /* what TABLES brought for it, [n_told_widths]; or NULL */
    int n_told_widths;
    shard_phase_t phase;
    run_purpose_t purpose;
    int64_t steps;     /* of a run that is trained */
    int workers;       /* W: those that take part in the run; the first ones */
    uint64_t run_id;   /* of messages */
    uint64_t identity; /* of the run, in its files (common/base/identity.h) */
    uint32_t incarnation;
    char *run_dir;             /* **owned** */
    scratch_folder_t *scratch; /* for what LMDB writes; NULL: it writes in run_dir */
    row_cache_t *row_cache;    /* of the tables; NULL: they stay in memory */
    table_plan_t plan;
    table_t **tables;      /* [plan.tables + n_companions] */
    uint32_t n_companions; /* behind them in `tables`: those of ps/table/frequency_filter.h, which no message names */

    int64_t first_step;    /* of the run: what is before came from a checkpoint */
    int64_t first_applied; /* `applied` at the start */
    int64_t applied;       /* pushes of steps < applied are in the tables (sync, invariant) */
    int64_t latest_step;   /* whose pushes are in the tables, or some of them */
    int64_t *pushed;       /* [W] each worker's pushes of steps < pushed are applied, and perhaps some after (bounded, async) */
    replay_window_t *windows; /* [W] */
    held_t *pulls, *pushes;   /* [SHARD_RING][W] */
    reply_cache_t *replies;   /* to pulls of the last SHARD_RING steps */
    net_message_t **ready;    /* [W] pushes of the step being applied */
    tree_shares_t shares;     /* of the run: which parts of the tree of lanes each worker of a group pushes */
    push_cursor_t *cursors;   /* [parts of all workers] where shard_apply is in each push */
    const uint64_t **keys;    /* [shares.leaves] arguments of table_push_merged */
    const float **gradients;  /* [shares.leaves] */
    int64_t *counts;          /* [shares.leaves] */

    shard_snapshot_t *snapshot;   /* NULL: nothing is saved in this run */
    pending_gradients_t *pending; /* pushes of steps before first_step; NULL where there are none */
    int64_t cuts[SHARD_RING];     /* [n_cuts] steps before which a cut was asked for and not made, ascending */
    int n_cuts;
    int64_t last_cut;
    bool is_stalled; /* the next cut waits for the last one; it was said */

    step_batch_t digests; /* of the rows that each step updates; off at async and bounded */
    step_digest_t digest; /* of the step being applied; watched by all tables where digests are on */

    message_counters_t counters;
    double cpu_start;
};

static inline int shard_worker_of(const shard_t *shard, int rank)
{
    int worker = rank - shard->o.first_worker;
    return worker >= 0 && worker < shard->workers ? worker : -1;
}

static inline held_t *shard_place(const shard_t *shard, held_t *ring, int64_t step, int worker)
{
    return &ring[(step % SHARD_RING) * shard->workers + worker];
}

static inline bool shard_is_ordered(const shard_t *shard)
{
    return shard->config->determinism >= DETERMINISM_SYNC;
}

/* ---- shard.c ------------------------------------------------------------------------------------------------------------- */

/* shard_header - of a message of the run. */
wire_header_t shard_header(const shard_t *shard, wire_type_t type, int64_t step, int64_t count);

/* shard_refuse - answer a bad message with its reason, and release it; state is unchanged. */
WARN_UNUSED status_t shard_refuse(shard_t *shard, net_message_t *message, const char *reason);

/* ---- shard_order.c ------------------------------------------------------------------------------------------------------- */

/* shard_take_pull / shard_take_push - of a worker, checked by shard_check: do now what the level allows, hold the rest. */
WARN_UNUSED status_t shard_take_pull(shard_t *shard, net_message_t *message, int worker);
WARN_UNUSED status_t shard_take_push(shard_t *shard, net_message_t *message, int worker);

/* shard_advance - release whatever the rules allow now. */
WARN_UNUSED status_t shard_advance(shard_t *shard);

/* shard_take_step - apply the pushes of step `applied`, which are all here, or came with the checkpoint, and record what they
 * do. */
WARN_UNUSED status_t shard_take_step(shard_t *shard);

/* shard_is_trained - all pushes of all steps of the run are in the tables. */
bool shard_is_trained(const shard_t *shard);

/* shard_cut_depth - of how many steps before a cut the pushes are pending. */
int64_t shard_cut_depth(const shard_t *shard);

/* shard_drop_held - release all messages held, and answers kept. */
void shard_drop_held(shard_t *shard);

/* ---- shard_rows.c -------------------------------------------------------------------------------------------------------- */

/* shard_check - the segments of a PULL, PEEK or PUSH: known tables, ascending, counts that add up, a push to the worker's own
 * tables. NULL, or what is wrong; *floats gets their weights. */
const char *shard_check(const shard_t *shard, const net_message_t *message, int worker, int64_t *floats);

/* shard_answer - answer a PULL or PEEK that was checked, and release it. */
WARN_UNUSED status_t shard_answer(shard_t *shard, net_message_t *message, bool peek);

/* shard_send_rows - send an answer again. */
WARN_UNUSED status_t shard_send_rows(shard_t *shard, int peer, const reply_t *reply);

/* shard_prefetch - bring the rows of a pull that must wait into memory. */
void shard_prefetch(shard_t *shard, const net_message_t *pull);

/* shard_leaf - the number in the tree of lanes of the part that a segment of a worker's push is of. */
uint32_t shard_leaf(const shard_t *shard, int worker, uint32_t part_table);

/* shard_apply - apply the pushes of one step: all workers' (ordered levels) or one worker's, merged per key in tree order. */
void shard_apply(shard_t *shard, net_message_t *const *messages, int n, int64_t step);

/* shard_set_step - tell the tables which step's pushes come now. */
void shard_set_step(shard_t *shard, int64_t step);

/* shard_rows_are_sound - false: a disk failed under the rows (row_cache_status). */
bool shard_rows_are_sound(const shard_t *shard);

/* ---- shard_digest.c ------------------------------------------------------------------------------------------------------ */

/* shard_begin_digests - of the run's steps, where its level and configuration have them. shard_digest_step - the rows that are
 * updated from here on belong to this step, until shard_digest_end. shard_send_digests - what is there, now. */
void shard_begin_digests(shard_t *shard);
WARN_UNUSED status_t shard_digest_step(shard_t *shard, int64_t step);
void shard_digest_end(shard_t *shard);
WARN_UNUSED status_t shard_send_digests(shard_t *shard);

/* ---- shard_run.c --------------------------------------------------------------------------------------------------------- */

/* The handlers of the coordinator's messages (shard.c); each takes over its message. shard_end - release what belongs to the
 * run. */
WARN_UNUSED status_t shard_on_begin(shard_t *shard, net_message_t *message);
WARN_UNUSED status_t shard_on_config(shard_t *shard, net_message_t *message);
WARN_UNUSED status_t shard_on_tables(shard_t *shard, net_message_t *message);
WARN_UNUSED status_t shard_on_load(shard_t *shard, net_message_t *message);
WARN_UNUSED status_t shard_on_restore(shard_t *shard, net_message_t *message);
WARN_UNUSED status_t shard_on_fold(shard_t *shard, net_message_t *message);
WARN_UNUSED status_t shard_on_flush(shard_t *shard, net_message_t *message);
void shard_end(shard_t *shard);

#endif
