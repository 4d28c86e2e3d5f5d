/* wire.h - every message of the protocol, declared once (docs/PROTOCOL.md).
 *
 * A message is one fixed header frame and up to three body frames. The header is little-endian on the wire; body arrays are
 * little-endian u32, u64, f32. Everything is checked before it is used: wire_decode checks the header and the frames'
 * sizes against the type's declaration; ids and counts inside bodies are checked where they are used.                    */
#ifndef SMELTER_WIRE_H
#define SMELTER_WIRE_H

#include <stdint.h>

#include "common/base/status.h"

#define WIRE_MAGIC 0x544c4d53u /* "SMLT" */
#define WIRE_VERSION 2
#define WIRE_FRAMES 3 /* most body frames of a message */
#define WIRE_SENDER_COORDINATOR 0

/* Message types: T(NAME, value, body frames, frame element bytes {a, b, c}, "who sends it to whom and why"). Element bytes 0:
 * the frame is opaque bytes. `count` in the header is the number of keys, rows or elements of the main array. */
#define WIRE_TYPES(T) \
    T(PULL, 1, 2, 8, 8, 0, "worker -> shard: segments {table u32, count u32}[], keys u64[]; answered by ROWS") \
    T(PEEK, 2, 2, 8, 8, 0, "worker -> shard: as PULL, creates no row, answered at once; for evaluation") \
    T(ROWS, 3, 1, 4, 0, 0, "shard -> worker: weights f32[] of the keys of a PULL or PEEK, in their order") \
    T(PUSH, 4, 3, 8, 8, 4, "worker -> shard: segments, keys, gradients f32[]") \
    T(BEGIN, 5, 1, 0, 0, 0, "coordinator -> all: make tables and networks of a run (variant, replica); answered by READY") \
    T(READY, 6, 0, 0, 0, 0, "any -> coordinator: ready for the run; a worker puts the hash of its dataset into `sequence`") \
    T(PROGRESS, 7, 3, 4, 1, 8, "worker -> coordinator: predictions f32[], labels u8[], groups u64[] of steps just trained") \
    T(TRAINED, 8, 1, 0, 0, 0, "worker -> coordinator: last step done and applied; counters") \
    T(EVALUATE, 9, 0, 0, 0, 0, "coordinator -> worker: score your share of the split that `count` names") \
    T(PREDICTIONS, 10, 3, 4, 1, 8, "worker -> coordinator: as PROGRESS, for examples step .. step + count of the split") \
    T(EVALUATED, 11, 1, 0, 0, 0, "worker -> coordinator: share done; counters") \
    T(DENSE, 12, 1, 4, 0, 0, \
      "first worker of a group -> coordinator: dense parameters and optimizer state of component `table`; back: those from " \
      "`step` on") \
    T(FLUSH, 13, 0, 0, 0, 0, "coordinator -> shard: write tables to the store; answered by FLUSHED") \
    T(FLUSHED, 14, 1, 0, 0, 0, "shard -> coordinator: digest and counters") \
    T(HEARTBEAT, 15, 0, 0, 0, 0, \
      "any -> coordinator: alive, at `step`; `count` is 1 once a signal told it to end; answered by the same, alive") \
    T(STOP, 16, 0, 0, 0, 0, "coordinator -> all: the job is over; `count` 0: success") \
    T(BYE, 17, 0, 0, 0, 0, "any -> coordinator: leaving in good order") \
    T(ERROR, 18, 1, 0, 0, 0, "any -> sender of a bad message, or -> coordinator for a fatal error: reason, text") \
    T(LOAD, 19, 3, 0, 4, 8, "coordinator -> shard: take your rows of a finished run; answered by LOADED") \
    T(LOADED, 20, 1, 0, 0, 0, "shard -> coordinator: rows are in the tables; counters") \
    T(TRAIN, 21, 0, 0, 0, 0, "coordinator -> worker: train the run that BEGIN named, from `step` on") \
    T(SCALING, 22, 1, 8, 0, 0, "coordinator -> worker: mean, scale f64 of each numeric field, in the place of the dataset's") \
    T(TEACHER, 23, 1, 4, 0, 0, \
      "coordinator -> worker: a teacher's probabilities f32[] of training examples step .. step + count") \
    T(CLIPPED, 24, 1, 4, 0, 0, \
      "first worker of a group -> coordinator: share of clipped values f32[] of each activated layer of component `table`") \
    T(SAVE, 25, 0, 0, 0, 0, \
      "coordinator -> worker, step -1: from which step on can you save? worker -> coordinator: from `step`; coordinator -> " \
      "worker: save before `step`, and stop there where `count` is 1") \
    T(CUT, 26, 1, 0, 0, 0, \
      "worker -> coordinator: `step` comes next, and all that belongs to the steps before it was sent; counters") \
    T(CUT_DENSE, 27, 1, 4, 0, 0, \
      "first worker of a group -> coordinator: dense parameters and optimizer state of component `table` before `step`") \
    T(PREPARED, 28, 1, 0, 0, 0, \
      "shard -> coordinator: its part of the checkpoint before `step` is durable; size and checksum") \
    T(FOLD, 29, 0, 0, 0, 0, \
      "coordinator -> shard: the oldest checkpoint kept is that of `step`: fold what is older into the base; answered by " \
      "FOLDED") \
    T(FOLDED, 30, 0, 0, 0, 0, "shard -> coordinator: the base holds the checkpoint of `step`") \
    T(RESTORE, 31, 3, 0, 8, 8, \
      "coordinator -> shard: take your rows of a checkpoint and its pending pushes; answered by LOADED") \
    T(DIGESTS, 32, 1, 8, 0, 0, \
      "shard, first worker of a group -> coordinator: digests u64[] of `count` steps from `step` on, of rows updated or of " \
      "dense parameters")

#define WIRE_ENUM(name, value, frames, a, b, c, doc) WIRE_##name = value,
typedef enum wire_type { WIRE_TYPES(WIRE_ENUM) WIRE_TYPE_END } wire_type_t;

typedef struct wire_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
    uint64_t run_id; /* of one start of a run, drawn anew each time; not the id in the run's files (common/base/identity.h) */
    uint32_t epoch;  /* of the run; increases at every restart */
    uint32_t sender; /* rank */
    int64_t step;
    uint64_t sequence; /* of the sender, per receiver; the server applies a PUSH sequence once */
    uint32_t table;    /* PULL: WIRE_PULL_CUT or 0, for segments name the tables; ROWS: pushes taken; DENSE, CLIPPED, CUT_DENSE:
                        * component; else 0 */
    uint32_t dtype;    /* WIRE_F32 */
    int64_t count;
    int64_t payload_bytes; /* of all body frames */
} wire_header_t;
_Static_assert(sizeof(wire_header_t) == 64, "the header is 64 bytes on the wire");

enum { WIRE_F32 = 1 };
enum { WIRE_PULL_CUT = 1 }; /* `table` of a PULL before whose step the cluster is cut for a checkpoint */

typedef struct wire_segment {
    uint32_t table, count;
} wire_segment_t;

typedef struct wire_frame {
    const void *data;
    int64_t bytes;
} wire_frame_t;

/* wire_header - a header of our version with the given type; the rest is zero. */
wire_header_t wire_header(wire_type_t type, uint64_t run_id, uint32_t epoch, uint32_t sender, int64_t step, int64_t count);

/* wire_encode / wire_decode - header to and from its 64 bytes. decode checks magic, version, type, frame count, payload size,
 * element sizes and count; ST_MESSAGE with *reason set to a static text, header untouched. Logs nothing: the caller counts and
 * replies. */
void wire_encode(const wire_header_t *header, uint8_t out[64]);
WARN_UNUSED status_t wire_decode(const wire_frame_t *frames, int n_frames, wire_header_t *header, const char **reason);

const char *wire_type_name(int type);
int wire_type_frames(int type); /* body frames, -1 for an unknown type */
/* wire_describe - "PULL step 12 from rank 3, 2048 keys" for traces; writes at most `size` bytes. */
void wire_describe(const wire_header_t *header, char *text, int size);

#endif
