/* wire.h - every message of the protocol, declared once (docs/PROTOCOL.md).
 *
 * A message is one fixed header frame and up to three body frames. The header is little-endian on the wire; body arrays are
 * little-endian u32, u64, f32. Everything is checked before it is used: wire_decode checks the header and the frames' sizes
 * against the type's declaration; common/net/dispatch.h who sent it to whom; ids and counts inside bodies are checked where
 * they are used.
 *
 * The declaration is WIRE_TYPES. From it come the numbers of the types, the checks and each role's table of handlers and, by
 * make docs, the tables of docs/PROTOCOL.md. */
#ifndef SMELTER_WIRE_H
#define SMELTER_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

#define WIRE_MAGIC 0x544c4d53u /* "SMLT" */
#define WIRE_VERSION 4
#define WIRE_FRAMES 3 /* most body frames of a message */
#define WIRE_SENDER_COORDINATOR 0

/* Beyond what any run can have; what this run can have is for the receiver to know. Sums of a few do not overflow. */
#define WIRE_STEP_MOST (INT64_C(1) << 60)
#define WIRE_COUNT_MOST (INT64_C(1) << 48)
#define WIRE_COMPONENTS_MOST 64 /* the bound of model.components */
#define WIRE_FIELDS_MOST 65536  /* embedding fields of a dataset */
#define WIRE_WIDTH_MOST 4097    /* weights of a row: the bound of embedding.dim, and a first-order weight */
#define WIRE_DIGESTS_MOST 64    /* steps in one message */

/* How `count` bounds a body frame; checked by wire_decode. */
typedef enum wire_fit {
    WIRE_FIT_ANY,
    WIRE_FIT_SOME,         /* not empty, where count is not 0 */
    WIRE_FIT_EACH,         /* an element for each */
    WIRE_FIT_EACH_OR_NONE, /* that, or nothing at all */
    WIRE_FIT_ROWS,         /* one element or more for each, and none where there are none: only the tables know the width */
    WIRE_FIT_MULTIPLE,     /* that, and equally many for each */
    WIRE_FIT_ONE,          /* a body of a fixed layout (common/net/message.h), whatever the count */
} wire_fit_t;

/* What body frames hold: B(NAME, bytes of an element, fit, "what is wrong where it does not fit", "in the document"). */
#define WIRE_BODIES(B) \
    B(NONE, 0, ANY, "", "") \
    B(SEGMENTS, 8, SOME, "keys without a segment", "segments {table u32, count u32}[]") \
    B(KEYS, 8, EACH, "keys do not fit the count", "keys u64[count]") \
    B(GRADIENTS, 4, ROWS, "gradients do not fit the count of keys", "gradients f32[]") \
    B(WEIGHTS, 4, ROWS, "weights do not fit the count of keys", "weights f32[]") \
    B(PREDICTIONS, 4, MULTIPLE, "predictions do not fit the count of examples", "predictions f32[]") \
    B(LABELS, 1, EACH, "labels do not fit the count of examples", "labels u8[count]") \
    B(QUERIES, 8, EACH_OR_NONE, "groups do not fit the count of examples", "groups u64[count] or none") \
    B(ABOUT, 8, MULTIPLE, "what is said of examples does not fit their count", \
      "of each its group u64, and where the run wants them its time i64 and its weight f32") \
    B(PARAMETERS, 4, EACH, "parameters do not fit the count", "f32[count]") \
    B(TEACHER, 4, EACH, "probabilities do not fit the count of examples", "probabilities f32[count], NaN: none") \
    B(SHARES, 4, EACH, "shares do not fit the count of layers", "shares f32[count]") \
    B(ACTIVATED, 12, EACH, "numbers do not fit the count of layers", "{spread f32, inside f32, beta f32}[count]") \
    B(SCORES, 4, EACH, "predictions do not fit the count of examples", "predictions f32[count]") \
    B(NUMBERS, 8, EACH, "numbers of examples do not fit their count", "their numbers in the evaluation split i64[count]") \
    B(SCALES, 16, ANY, "", "{mean f64, scale f64}[]") \
    B(TABLE_MAP, 4, EACH, "the map does not fit the count of tables", "table map i32[count]") \
    B(STORED, 24, ANY, "", "what each shard stored {digest low, high, rows} u64[]") \
    B(DELTAS, 8, EACH, "steps do not fit the count of deltas", "steps of the deltas i64[count]") \
    B(CHECKSUMS, 16, ANY, "", "checksums {low, high} u64[] of the last one") \
    B(DIGESTS, 8, MULTIPLE, "digests do not fit the count of steps", "u64[], equally many for each step") \
    B(WIDTHS, 4, EACH, "widths do not fit the count of tables", "weights of a row i32[count]") \
    B(CONFIG, 1, ANY, "", "text of a resolved configuration") \
    B(BEGIN, 48, ONE, "its fixed part has another size", "`message_begin_t`: purpose, variant, replica, fields, steps") \
    B(COUNTERS, 168, ONE, "its fixed part has another size", "`message_counters_t`") \
    B(ERROR, 488, ONE, "its fixed part has another size", "`message_error_t`: status, fatal, text") \
    B(LOAD, 24, ONE, "its fixed part has another size", "`message_load_t`") \
    B(RESTORE, 40, ONE, "its fixed part has another size", "`message_restore_t`") \
    B(PREPARED, 56, ONE, "its fixed part has another size", "`message_prepared_t`")

/* What the header fields step, count, table and sequence of a message mean: F(NAME, unit of a count or NULL, least, most, "in
 * the document"). wire_decode refuses what is not in [least, most]; what the run has less of its receiver refuses. */
#define WIRE_MEANINGS(F) \
    F(NOTHING, NULL, 0, 0, "") \
    F(STEP, NULL, 0, WIRE_STEP_MOST, "the step") \
    F(NOW, NULL, 0, INT64_MAX, "the step the sender is at") \
    F(LAST_STEP, NULL, 0, WIRE_STEP_MOST, "the last step that was trained") \
    F(FIRST_STEP, NULL, 0, WIRE_STEP_MOST, "the first step") \
    F(NEXT_STEP, NULL, 1, WIRE_STEP_MOST, "the step that comes next") \
    F(CHECKPOINT, NULL, 0, WIRE_STEP_MOST, "the step that the checkpoint comes before") \
    F(SAVE_STEP, NULL, -1, WIRE_STEP_MOST, "the step to save before; -1 asks for it") \
    F(APPLIED, NULL, 0, WIRE_STEP_MOST, "steps that are applied") \
    F(FIRST_EXAMPLE, NULL, 0, INT64_MAX, "number of the first example") \
    F(FIRST_ELEMENT, NULL, 0, WIRE_STEP_MOST, "to a worker: number of the first element; from one: its last step") \
    F(ASKED, NULL, INT64_MIN, INT64_MAX, "that of the message it answers") \
    F(PART, NULL, 0, 1024, "1 + the shard whose part of a run is not on the sender's host; 0: another reason") \
    F(STUCK, NULL, 0, 1, "1: the sender cannot leave MPI with the others") \
    F(KEYS, "keys", 0, WIRE_COUNT_MOST, "keys") \
    F(ROWS, "rows", 0, WIRE_COUNT_MOST, "rows") \
    F(EXAMPLES, "examples", 0, WIRE_STEP_MOST, "examples") \
    F(ELEMENTS, "elements", 0, WIRE_COUNT_MOST, "elements") \
    F(LAYERS, "layers", 0, 65536, "layers") \
    F(TABLES, "tables", 0, WIRE_FIELDS_MOST *WIRE_COMPONENTS_MOST, "tables of the finished run") \
    F(SET_TABLES, "tables", 0, WIRE_FIELDS_MOST, "tables of a component") \
    F(DELTAS, "deltas", 1, INT32_MAX, "deltas") \
    F(STEPS, "steps", 1, WIRE_DIGESTS_MOST, "steps") \
    F(SPLIT, NULL, 0, 3, "the split: 0 training, 1 evaluation, 2 all examples, 3 test") \
    F(STATUS, NULL, 0, ST_DIFFERENT, "a status; 0: success") \
    F(TOLD, NULL, 0, 1, "1 once a signal told the sender to end") \
    F(STOPS, NULL, 0, 1, "to a worker: 1 stops there") \
    F(ENDS, NULL, 0, 1, "1: the training ends before the step") \
    F(CUT, NULL, 0, 1, "1: the cluster is cut before the step") \
    F(TAKEN, NULL, 0, UINT32_MAX, "pushes taken without a gap, modulo 2^32") \
    F(COMPONENT, NULL, 0, WIRE_COMPONENTS_MOST - 1, "the component") \
    F(FIRST_COMPONENT, NULL, 0, WIRE_COMPONENTS_MOST - 1, "from a worker: the first component") \
    F(NUMBER, NULL, 1, INT64_MAX, "the sender's own, counted up") \
    F(DATASET, NULL, INT64_MIN, INT64_MAX, "from a worker: hash of its dataset")

/* Who sends and who receives. A role is told from the connection that a message comes by. */
#define WIRE_ROLES(P) P(COORDINATOR) P(PULSE) P(SERVER) P(SHARD) P(WORKER) P(STRANGER)

/* Every message. A row T says what it is made of,
 *
 *     T(NAME, value, body frames a, b, c, scope, step, count, table, sequence)
 *
 * where scope is RUN, if the message belongs to the run and incarnation in its header and no other may take it, or JOB. The
 * rows R below it say who sends it to whom, what the receiver does with it and which of its functions (on_name) takes it:
 *
 *     R(NAME, name, from, to, "meaning")
 *
 * WORKER_IN_TURN is a worker that has done what it was told before, LEADER the first worker of a group, RANK a server or a
 * worker, ALL every shard, server and worker, ANY every role. What no row allows is refused (common/net/dispatch.h). */
#define WIRE_TYPES(T, R) \
    T(PULL, 1, SEGMENTS, KEYS, NONE, RUN, STEP, KEYS, CUT, NUMBER) \
    R(PULL, pull, WORKER, SHARD, "rows of a step; rows that do not exist are created; answered by ROWS") \
    T(PEEK, 2, SEGMENTS, KEYS, NONE, RUN, FIRST_EXAMPLE, KEYS, NOTHING, NUMBER) \
    R(PEEK, peek, WORKER, SHARD, "as PULL, for evaluation: creates no row, answered at once") \
    T(ROWS, 3, WEIGHTS, NONE, NONE, RUN, ASKED, ROWS, TAKEN, ASKED) \
    R(ROWS, rows, SHARD, WORKER, "a piece of the rows of a PULL or PEEK, in the order of its keys") \
    T(PUSH, 4, SEGMENTS, KEYS, GRADIENTS, RUN, STEP, KEYS, NOTHING, NUMBER) \
    R(PUSH, push, WORKER, SHARD, "gradients of a step, in the order of keys; not answered") \
    T(BEGIN, 5, BEGIN, NONE, NONE, JOB, NOTHING, NOTHING, NOTHING, NOTHING) \
    R(BEGIN, begin, COORDINATOR, SHARD, "make the empty tables of a run; answered by READY") \
    R(BEGIN, begin, COORDINATOR, WORKER_IN_TURN, "make the networks of a run; answered by READY") \
    T(READY, 6, NONE, NONE, NONE, RUN, NOTHING, NOTHING, NOTHING, DATASET) \
    R(READY, ready, SHARD, COORDINATOR, "the tables are made") \
    R(READY, ready, WORKER, COORDINATOR, "the networks are made") \
    T(PROGRESS, 7, PREDICTIONS, LABELS, ABOUT, RUN, FIRST_STEP, EXAMPLES, NOTHING, NOTHING) \
    R(PROGRESS, progress, WORKER, COORDINATOR, "the examples of steps just trained, predicted before they were learned from") \
    T(TRAINED, 8, COUNTERS, NONE, NONE, RUN, LAST_STEP, EXAMPLES, NOTHING, NOTHING) \
    R(TRAINED, trained, WORKER, COORDINATOR, "the last step is done and applied") \
    T(EVALUATE, 9, NONE, NONE, NONE, RUN, NOTHING, SPLIT, NOTHING, NOTHING) \
    R(EVALUATE, evaluate, COORDINATOR, WORKER_IN_TURN, "score your share of a split") \
    T(PREDICTIONS, 10, PREDICTIONS, LABELS, QUERIES, RUN, FIRST_EXAMPLE, EXAMPLES, NOTHING, NOTHING) \
    R(PREDICTIONS, predictions, WORKER, COORDINATOR, "what is predicted for examples of the split") \
    T(EVALUATED, 11, COUNTERS, NONE, NONE, RUN, LAST_STEP, EXAMPLES, NOTHING, NOTHING) \
    R(EVALUATED, evaluated, WORKER, COORDINATOR, "the share is done") \
    T(DENSE, 12, PARAMETERS, NONE, NONE, RUN, FIRST_ELEMENT, ELEMENTS, COMPONENT, NOTHING) \
    R(DENSE, dense, LEADER, COORDINATOR, "dense parameters and optimizer state of a component") \
    R(DENSE, dense, COORDINATOR, WORKER_IN_TURN, "take these in place of your own, before training or scoring") \
    T(FLUSH, 13, NONE, NONE, NONE, RUN, NOTHING, NOTHING, NOTHING, NOTHING) \
    R(FLUSH, flush, COORDINATOR, SHARD, "write the tables to the store; answered by FLUSHED") \
    T(FLUSHED, 14, COUNTERS, NONE, NONE, RUN, APPLIED, ROWS, NOTHING, NOTHING) \
    R(FLUSHED, flushed, SHARD, COORDINATOR, "the tables are durable; digest and counters") \
    T(HEARTBEAT, 15, NONE, NONE, NONE, JOB, NOW, TOLD, NOTHING, NOTHING) \
    R(HEARTBEAT, heartbeat, RANK, COORDINATOR, "alive") \
    R(HEARTBEAT, heartbeat, RANK, PULSE, "is the coordinator alive? answered by the same") \
    R(HEARTBEAT, heartbeat, PULSE, RANK, "the coordinator is alive") \
    T(STOP, 16, NONE, NONE, NONE, JOB, NOTHING, STATUS, NOTHING, NOTHING) \
    R(STOP, stop, COORDINATOR, ALL, "the job is over") \
    T(BYE, 17, NONE, NONE, NONE, JOB, STUCK, STATUS, NOTHING, NOTHING) \
    R(BYE, bye, RANK, COORDINATOR, "leaving in good order") \
    T(ERROR, 18, ERROR, NONE, NONE, JOB, ASKED, PART, NOTHING, ASKED) \
    R(ERROR, error, ANY, COORDINATOR, "a message was refused, or (fatal) the sender cannot go on") \
    R(ERROR, error, ANY, ALL, "a message was refused") \
    T(LOAD, 19, LOAD, TABLE_MAP, STORED, RUN, NOTHING, TABLES, NOTHING, NOTHING) \
    R(LOAD, load, COORDINATOR, SHARD, "take the rows of your slots from the stores of a finished run; answered by LOADED") \
    T(LOADED, 20, COUNTERS, NONE, NONE, RUN, CHECKPOINT, ROWS, NOTHING, NOTHING) \
    R(LOADED, loaded, SHARD, COORDINATOR, "the rows are in the tables; their number and, after LOAD, digest") \
    T(TRAIN, 21, NONE, NONE, NONE, RUN, FIRST_STEP, NOTHING, NOTHING, NOTHING) \
    R(TRAIN, train, COORDINATOR, WORKER_IN_TURN, "train the run that BEGIN named, from the step on") \
    T(SCALING, 22, SCALES, NONE, NONE, RUN, NOTHING, NOTHING, NOTHING, NOTHING) \
    R(SCALING, scaling, COORDINATOR, WORKER_IN_TURN, \
      "standardise numeric fields by these until the next BEGIN, not by the dataset's own; before scoring with a run, and " \
      "before a " \
      "training that a warm start gave its donor's scaling") \
    T(TEACHER, 23, TEACHER, NONE, NONE, RUN, FIRST_EXAMPLE, EXAMPLES, NOTHING, NOTHING) \
    R(TEACHER, teacher, COORDINATOR, WORKER_IN_TURN, \
      "what the teacher predicts for training examples; pieces come in order, before TRAIN") \
    T(CLIPPED, 24, SHARES, ACTIVATED, NONE, RUN, LAST_STEP, LAYERS, COMPONENT, NOTHING) \
    R(CLIPPED, clipped, LEADER, COORDINATOR, \
      "of each activated layer, inputs first: the share of clipped values, the spread of pre-activations, the share of them " \
      "inside [-beta, beta], and beta") \
    T(SAVE, 25, NONE, NONE, NONE, RUN, SAVE_STEP, STOPS, NOTHING, NOTHING) \
    R(SAVE, save, COORDINATOR, WORKER, "from which step on can you save? or: save before this one") \
    R(SAVE, save, WORKER, COORDINATOR, \
      "a checkpoint may come before this step, the first that is not pulled yet; nothing from there on is pulled until the " \
      "answer is " \
      "here") \
    T(CUT, 26, COUNTERS, NONE, NONE, RUN, NEXT_STEP, EXAMPLES, NOTHING, NOTHING) \
    R(CUT, cut, WORKER, COORDINATOR, "all that belongs to the steps before was sent") \
    T(CUT_DENSE, 27, PARAMETERS, NONE, NONE, RUN, NEXT_STEP, ELEMENTS, COMPONENT, NOTHING) \
    R(CUT_DENSE, cut_dense, LEADER, COORDINATOR, "dense parameters and optimizer state of a component before the step") \
    T(PREPARED, 28, PREPARED, NONE, NONE, RUN, CHECKPOINT, NOTHING, NOTHING, NOTHING) \
    R(PREPARED, prepared, SHARD, COORDINATOR, "the shard's part of the checkpoint before the step is durable") \
    T(FOLD, 29, NONE, NONE, NONE, RUN, CHECKPOINT, NOTHING, NOTHING, NOTHING) \
    R(FOLD, fold, COORDINATOR, SHARD, \
      "the oldest checkpoint that is kept is that of the step: fold what is older into the base; answered by FOLDED") \
    T(FOLDED, 30, NONE, NONE, NONE, RUN, CHECKPOINT, NOTHING, NOTHING, NOTHING) \
    R(FOLDED, folded, SHARD, COORDINATOR, "the base holds the checkpoint of the step") \
    T(RESTORE, 31, RESTORE, DELTAS, CHECKSUMS, RUN, CHECKPOINT, DELTAS, NOTHING, NOTHING) \
    R(RESTORE, restore, COORDINATOR, SHARD, \
      "take the rows of your slots, and the pushes that are pending, from a checkpoint; answered by LOADED") \
    T(DIGESTS, 32, DIGESTS, NONE, NONE, RUN, FIRST_STEP, STEPS, FIRST_COMPONENT, NOTHING) \
    R(DIGESTS, digests, SHARD, COORDINATOR, \
      "what steps did: a digest of the rows that each has updated (`common/base/step_digest.h`)") \
    R(DIGESTS, digests, LEADER, COORDINATOR, "a hash of the dense parameters of each component, after each of the steps") \
    T(CONFIG, 33, CONFIG, NONE, NONE, JOB, NOTHING, NOTHING, NOTHING, NOTHING) \
    R(CONFIG, config, COORDINATOR, SHARD, \
      "the configuration of the teacher that the next BEGIN is of, where that is no run of the experiment") \
    R(CONFIG, config, COORDINATOR, WORKER_IN_TURN, "likewise") \
    T(PROBED, 34, SCORES, NUMBERS, NONE, RUN, NEXT_STEP, EXAMPLES, NOTHING, NOTHING) \
    R(PROBED, probed, WORKER, COORDINATOR, "what is predicted for the worker's share of the probe set, before the step") \
    T(TABLES, 35, WIDTHS, NONE, NONE, JOB, NOTHING, SET_TABLES, NOTHING, NOTHING) \
    R(TABLES, tables, COORDINATOR, SHARD, \
      "how wide the tables of the run are that the next BEGIN is of, where not each field has one of embedding.dim") \
    T(VALIDATED, 36, SCORES, LABELS, QUERIES, RUN, NEXT_STEP, EXAMPLES, NOTHING, NOTHING) \
    R(VALIDATED, validated, WORKER, COORDINATOR, \
      "what is predicted for the worker's share of the evaluation split, before the step") \
    T(VERDICT, 37, NONE, NONE, NONE, RUN, NEXT_STEP, ENDS, NOTHING, NOTHING) \
    R(VERDICT, verdict, COORDINATOR, WORKER, "the evaluation before the step is complete: go on, or end the training there")

#define WIRE_NOTHING(...)
#define WIRE_BODY_ENUM(name, ...) WIRE_BODY_##name,
typedef enum wire_body { WIRE_BODIES(WIRE_BODY_ENUM) } wire_body_t;

#define WIRE_ENUM(name, value, ...) WIRE_##name = value,
typedef enum wire_type { WIRE_TYPES(WIRE_ENUM, WIRE_NOTHING) WIRE_TYPE_END } wire_type_t;

#define WIRE_ROLE_ENUM(name) WIRE_ROLE_##name,
typedef enum wire_role { WIRE_ROLES(WIRE_ROLE_ENUM) WIRE_ROLE_END } wire_role_t;

#define WIRE_MEANING_ENUM(name, ...) WIRE_MEANS_##name,
typedef enum wire_meaning { WIRE_MEANINGS(WIRE_MEANING_ENUM) } wire_meaning_t;

typedef struct wire_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
    uint64_t run_id; /* of one start of a run, drawn anew each time; not the id in the run's files (common/base/identity.h) */
    uint32_t incarnation; /* of the run; increases at every restart */
    uint32_t sender;      /* rank */
    int64_t step;
    uint64_t sequence; /* of the sender, per receiver; the server applies a PUSH sequence once */
    uint32_t table;    /* no table: segments name those. What it and the other fields mean is in WIRE_TYPES */
    uint16_t dtype;    /* WIRE_F32 */
    uint16_t piece;    /* ROWS: number of this piece of the answer (common/net/pieces.h); 0 elsewhere */
    int64_t count;
    int64_t payload_bytes; /* of all body frames */
} wire_header_t;
_Static_assert(sizeof(wire_header_t) == 64, "the header is 64 bytes on the wire");

enum { WIRE_F32 = 1 };

typedef struct wire_segment {
    uint32_t table, count;
} wire_segment_t;

/* A segment of a PUSH also says which of its sender's parts of the tree of lanes it is of (common/kernels/tree.h), above the
 * table. */
#define WIRE_TABLE_BITS 22
_Static_assert(WIRE_FIELDS_MOST *WIRE_COMPONENTS_MOST == 1 << WIRE_TABLE_BITS, "a table's number fits");

static inline uint32_t wire_part_table(int part, uint32_t table)
{
    return (uint32_t)part << WIRE_TABLE_BITS | table;
}

static inline uint32_t wire_table(uint32_t part_table)
{
    return part_table & ((1u << WIRE_TABLE_BITS) - 1);
}

static inline int wire_part(uint32_t part_table)
{
    return (int)(part_table >> WIRE_TABLE_BITS);
}

typedef struct wire_frame {
    const void *data;
    int64_t bytes;
} wire_frame_t;

/* wire_header - a header of our version with the given type; the rest is zero. */
wire_header_t wire_header(wire_type_t type, uint64_t run_id, uint32_t incarnation, uint32_t sender, int64_t step,
                          int64_t count);

/* wire_encode / wire_decode - header to and from its 64 bytes. decode checks magic, version, type, frame count, payload size,
 * element sizes, the bounds of fields, count, and piece; ST_MESSAGE with *reason set to a static text, header untouched. Logs
 * nothing: the caller counts and replies. */
void wire_encode(const wire_header_t *header, uint8_t out[64]);
WARN_UNUSED status_t wire_decode(const wire_frame_t *frames, int n_frames, wire_header_t *header, const char **reason);

/* wire_may_send - may a `from` send this type to a `to`? False for an unknown type. wire_is_of_run - does the type belong to
 * the run and incarnation in its header? */
bool wire_may_send(int type, wire_role_t from, wire_role_t to);
bool wire_is_of_run(int type);

/* Header fields that mean something of their own in some types, by that meaning (WIRE_TYPES). Each is for those types alone:
 * another is a bug of the caller's.  A component is one number for all frames of DENSE, CUT_DENSE, CLIPPED; the first one of
 * DIGESTS. */
uint32_t wire_component(const wire_header_t *header);
void wire_set_component(wire_header_t *header, int component);
bool wire_pull_is_cut(const wire_header_t *header); /* PULL: the cluster is cut before its step */
void wire_set_pull_is_cut(wire_header_t *header, bool is_cut);
uint32_t wire_pushes_taken(const wire_header_t *header); /* ROWS: without a gap, modulo 2^32 */
void wire_set_pushes_taken(wire_header_t *header, uint64_t pushes);
uint64_t wire_dataset_hash(const wire_header_t *header); /* READY of a worker */
void wire_set_dataset_hash(wire_header_t *header, uint64_t hash);
int64_t wire_first_example(const wire_header_t *header); /* PREDICTIONS, TEACHER: the others follow, `count` in all */
int64_t wire_first_element(const wire_header_t *header); /* DENSE to a worker: likewise */
int64_t wire_split(const wire_header_t *header);         /* EVALUATE */
bool wire_save_asks(const wire_header_t *header);        /* SAVE to a worker: from which step on can you save? */
bool wire_save_stops(const wire_header_t *header);       /* SAVE to a worker: stop there */
bool wire_verdict_stops(const wire_header_t *header);    /* VERDICT: the training ends before its step */
bool wire_is_told(const wire_header_t *header);          /* HEARTBEAT: a signal told the sender to end */
bool wire_is_stuck(const wire_header_t *header);         /* BYE: the sender cannot leave MPI with the others */
status_t wire_status(const wire_header_t *header);       /* STOP, BYE: STOP says no more than whether it is ST_OK */

const char *wire_type_name(int type);
int wire_type_frames(int type); /* body frames, -1 for an unknown type */
/* wire_describe - "PULL step 12 from rank 3, 2048 keys" for traces; writes at most `size` bytes. */
void wire_describe(const wire_header_t *header, char *text, int size);

#endif
