/* message.h - fixed bodies of control messages and the numbering of peers.
 *
 * Bodies are plain structs of fixed-width little-endian fields (the supported machines are little-endian; the header says so
 * with its magic number). message_body checks the size before a body is
 * used. */
#ifndef SMELTER_MESSAGE_H
#define SMELTER_MESSAGE_H

#include <stdbool.h>
#include <string.h>

#include "common/net/net.h"

/* Peers of a dialling net_t: 0 is the coordinator, shards follow. On listening net_t's a peer is the dialling rank. */
#define PEER_COORDINATOR 0
#define PEER_PULSE ((1 << 20) - 1) /* the coordinator's sign of life (pulse.h); no rank has so high a number */
#define PEER_SHARD(shard) ((1 << 20) + (shard))
#define PEER_IS_SHARD(peer) ((peer) >= (1 << 20))
#define PEER_SHARD_OF(peer) ((peer) - (1 << 20))

/* BEGIN: which of the runs that the job has comes now (common/config/run_folders.h says which there are, and where). */
typedef struct message_begin {
    int32_t purpose; /* run_purpose_t; RUN_TEACHES: CONFIG has brought the teacher's configuration */
    int32_t variant; /* of the run; -1: the base configuration */
    int32_t replica;
    int32_t fields;     /* embedding fields of the dataset, from which the tables follow (common/config/table_plan.h) */
    int64_t first_step; /* 0, or the step that a checkpoint comes before */
    int64_t steps;      /* of the whole run; 0 where it only scores */
    int32_t saves;      /* 1: checkpoints may be asked for, of a run that trains */
    int32_t reserved;   /* 0 */
    uint64_t identity;  /* of the run (common/base/identity.h), for the files that shards write; 0 where it only scores */
} message_begin_t;

/* An activated layer, for CLIPPED: as model_activated_t (worker/network/model.h) has it. */
typedef struct message_activated {
    float spread, inside, beta;
} message_activated_t;
_Static_assert(sizeof(message_activated_t) == 12, "three floats on the wire");

/* LOAD: which finished run a shard takes its rows from. The second frame says for each of the run's tables which table of this
 * run gets its rows, int32[tables], -1: none. The third has what each of the run's shards stored, {digest low, digest high,
 * rows} u64[folders], or nothing where the run's manifest does not say. */
typedef enum message_donor {
    MESSAGE_DONOR_SELF,       /* the run that BEGIN named, which only scores */
    MESSAGE_DONOR_WARM_START, /* warm_start of the run's configuration */
} message_donor_t;
typedef struct message_load {
    int32_t donor;       /* message_donor_t */
    int32_t folders;     /* shards that stored it: store/shard-0 .. in its folder, which is the same on every host */
    int32_t tables;      /* of the finished run */
    int32_t incarnation; /* of its start that stored them */
    uint64_t identity;   /* of the finished run; 0: not recorded */
} message_load_t;

/* RESTORE: which checkpoint of the run a shard takes its rows from. The second frame lists the steps of the incarnation's
 * deltas that lead to it, ascending, the checkpoint's own last, int64[]. The third has the checksum of that one for each shard
 * that wrote it, {low, high} u64[folders], or nothing where that is not known. */
typedef struct message_restore {
    int64_t step;        /* of the checkpoint */
    int64_t depth;       /* pending pushes are those of steps step - depth .. step - 1 */
    int32_t incarnation; /* that wrote it: its files are in checkpoint/epoch-EEEE of the run's folder */
    int32_t folders;     /* shards that wrote it */
    int32_t tables;      /* of the run; the same here */
    int32_t reserved;    /* 0 */
    uint64_t identity;   /* of the run; 0: not recorded */
} message_restore_t;

/* PREPARED: a shard's part of a checkpoint is durable. */
typedef struct message_prepared {
    int64_t rows;                         /* in the delta */
    int64_t pending;                      /* rows with pushes that are yet to be applied */
    int64_t bytes;                        /* of the delta file */
    uint64_t checksum_low, checksum_high; /* of the delta file */
    double seconds;                       /* from the cut to durable */
    double cpu_seconds;                   /* of the process since BEGIN; 0 from shards that are not their server's first */
} message_prepared_t;

/* TRAINED, CUT, EVALUATED, LOADED, FLUSHED: what a rank has done in this run. */
typedef struct message_counters {
    double seconds;         /* TRAINED: wall time of the training loop */
    double cpu_seconds;     /* of the whole process since BEGIN; 0 from shards that are not their server's first */
    int64_t peak_rss_bytes; /* of the process; 0 likewise */
    double step_seconds_median, step_seconds_longest; /* TRAINED: of the steps of this start but the first two */
    int64_t examples;
    int64_t rows_pulled, rows_pushed;
    /* Message payloads, headers included, of pulls, pushes and their answers; dense values that other workers sent. */
    int64_t bytes_sent, bytes_received;
    int64_t rows;       /* FLUSHED: rows in the shard's tables; LOADED: rows taken */
    int64_t parameters; /* TRAINED: dense parameters of all components; FLUSHED: embedding weights */
    int64_t flops_per_example;
    uint64_t digest_low, digest_high;
    int64_t digest_elements;
    int64_t staleness_sum, staleness_max, staleness_count; /* FLUSHED: steps missing at the pulls answered */
    int64_t duplicates, bad_messages;
} message_counters_t;

/* PROGRESS: what of an example comes beside its prediction and label, so many words of 64 bits: its group first, and the others
 * where they are, or -1. A weight is the bits of an f32. */
typedef struct message_about {
    int words, time, weight;
} message_about_t;

static inline message_about_t message_about(bool has_time, bool has_weight)
{
    return (message_about_t){1 + has_time + has_weight, has_time ? 1 : -1, has_weight ? 1 + has_time : -1};
}

static inline float message_weight(uint64_t word)
{
    const uint32_t bits = (uint32_t)word;
    float weight;
    memcpy(&weight, &bits, sizeof weight);
    return weight;
}

static inline uint64_t message_weight_word(float weight)
{
    uint32_t bits;
    memcpy(&bits, &weight, sizeof bits);
    return bits;
}

/* ERROR: a refused message or a fatal error. */
typedef struct message_error {
    int32_t status; /* status_t */
    int32_t fatal;  /* 1: the sender is leaving */
    char text[STATUS_REASON_BYTES];
} message_error_t;

_Static_assert(sizeof(message_counters_t) == 168 && sizeof(message_error_t) == 488 && sizeof(message_prepared_t) == 56,
               "the sizes of WIRE_BODIES");
_Static_assert(sizeof(message_begin_t) == 48 && sizeof(message_load_t) == 24 && sizeof(message_restore_t) == 40,
               "the sizes of WIRE_BODIES");

/* message_counters_are_sound, message_prepared_is_sound - no number in it is negative, none is so large that the sum over all
 * ranks of a job, some thousands at most, would overflow, and times are finite. */
bool message_counters_are_sound(const message_counters_t *counters);
bool message_prepared_is_sound(const message_prepared_t *prepared);

/* message_body - copy the fixed body of `message` out; false where its size is wrong. */
static inline bool message_body(const net_message_t *message, void *body, int64_t bytes)
{
    if (message->frames != 1 || message->frame[0].bytes != bytes)
        return false;
    memcpy(body, message->frame[0].data, (size_t)bytes);
    return true;
}

#endif
