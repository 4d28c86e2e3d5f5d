/* Rank 0's part of checkpoints (launcher/checkpoint/checkpointer.h): parts of cuts, answers and requests in any order. Files
 * are written into memory.
 *
 *     u8 {bits 0-1: keep, bits 2-3: boundary, bit 4: by time, bit 5: with progressive metrics, bit 6: from step 5 on},
 *     {u8 what: a request, a request to stop, a tick, a worker that is at its end, or a message (letter.h)}                  */
#include <string.h>

#include "common/base/memory.h"
#include "common/net/message.h"
#include "launcher/checkpoint/checkpointer.h"
#include "tests/fuzz/harness_files.h"
#include "tests/fuzz/letter.h"
#include "tests/lib/net_fake.h"

enum { WORKERS = 2, SHARDS = 2, COMPONENTS = 2, STEPS = 40, BATCH = 4, RUN = 9, INCARNATION = 3, DOES_MOST = 40 };
enum { DO_REQUEST, DO_STOP, DO_TICK, DO_TRAINED, DO_PROGRESS, DO_LETTER };

static net_t *net;

/* Examples of the next steps of a worker, as they are and not as the input would have them. */
static void put_progress(progressive_t *progressive, int worker, int64_t steps)
{
    float p[STEPS * BATCH] = {0};
    uint8_t y[STEPS * BATCH] = {0}, head[64];
    uint64_t group[STEPS * BATCH] = {0};
    const int64_t n = steps * BATCH / WORKERS;
    wire_header_t header = wire_header(WIRE_PROGRESS, RUN, INCARNATION, 2, 0, n);
    header.payload_bytes = n * 13;
    wire_encode(&header, head);
    const wire_frame_t frames[] = {{head, sizeof head}, {p, n * 4}, {y, n}, {group, n * 8}};
    net_message_t message;
    const char *reason;
    if (net_fake_message(net, worker, frames, 4, &message, &reason)) {
        const status_t status = progressive_put(progressive, worker, &message, net_now_ns(net));
        ASSERT(status == ST_OK || status == ST_MESSAGE);
        net_release(net, &message); /* where it was refused */
    }
}

/* A message that has come past the transport and the table of who may send it. */
static status_t put_letter(checkpointer_t *c, const letter_t *letter)
{
    wire_frame_t frames[1 + WIRE_FRAMES];
    uint8_t head[64];
    wire_header_t header = letter->header;
    net_message_t message;
    const char *reason;
    header.payload_bytes = 0;
    for (int i = 0; i < letter->n; i++) {
        frames[1 + i] = letter->frame[i];
        header.payload_bytes += letter->frame[i].bytes;
    }
    wire_encode(&header, head);
    frames[0] = (wire_frame_t){head, sizeof head};
    const bool of_worker = header.type == WIRE_SAVE || header.type == WIRE_CUT || header.type == WIRE_CUT_DENSE;
    const bool of_shard = header.type == WIRE_PREPARED || header.type == WIRE_FOLDED;
    if ((!of_worker && !of_shard) || !net_fake_message(net, 0, frames, 1 + letter->n, &message, &reason))
        return ST_OK;
    const status_t status = of_worker ? checkpointer_put_worker(c, (int)(letter->from % (WORKERS + 1)), &message)
                                      : checkpointer_put_shard(c, (int)(letter->from % SHARDS), &message);
    net_release(net, &message);
    return status;
}

static status_t step_on(checkpointer_t *c, progressive_t *progressive, fuzz_input_t *in)
{
    const unsigned what = fuzz_byte(in), worker = what >> 4 & 1;
    letter_t letter;
    net_fake_advance(net, 300000000);
    switch (what & 7) {
    case DO_REQUEST:
    case DO_STOP:
        checkpointer_request(c, (what & 7) == DO_STOP);
        return ST_OK;
    case DO_TICK:
        return checkpointer_tick(c);
    case DO_TRAINED:
        return checkpointer_trained(c, (int)worker);
    case DO_PROGRESS:
        if (progressive)
            put_progress(progressive, (int)worker, 1 + (what >> 5));
        return ST_OK;
    default:
        letter_read(in, RUN, INCARNATION, &letter);
        const status_t status = put_letter(c, &letter);
        letter_fini(&letter);
        return status;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char word[] = "w";
    fuzz_input_t in = {data, size};
    const unsigned what = fuzz_byte(&in);
    if (!net)
        net = net_fake_create(0, NULL, NULL);
    const checkpoint_manifest_t run = {.experiment = word,
                                       .variant = word,
                                       .determinism = word,
                                       .build = word,
                                       .kernels = word,
                                       .config = word,
                                       .steps = STEPS,
                                       .depth = 1,
                                       .workers = WORKERS,
                                       .servers = SHARDS,
                                       .shards_per_server = 1,
                                       .tables = 3,
                                       .components = COMPONENTS,
                                       .incarnation = INCARNATION};
    const lanes_t lanes = {.batch = BATCH, .total = STEPS * BATCH, .lanes = BATCH};
    const progressive_options_t metrics = {
        .net = net, .workers = WORKERS, .lanes = lanes, .interval = 5, .first_visits = lanes.total};
    progressive_t *progressive = what >> 5 & 1 ? progressive_create(&metrics) : NULL;
    const checkpointer_options_t options = {.net = net,
                                            .disk = fuzz_disk(),
                                            .run_dir = "/none/run",
                                            .run = &run,
                                            .progressive = progressive,
                                            .run_id = RUN,
                                            .first_worker = 2,
                                            .workers = WORKERS,
                                            .reporting = {.groups = 1, .workers = WORKERS},
                                            .groups = 1,
                                            .dense_floats = 3,
                                            .first_step = what >> 6 & 1 ? 5 : 0,
                                            .period = 4 * (int64_t)(1 + (what >> 2 & 3)),
                                            .boundary = 1 + (int64_t)(what >> 2 & 3),
                                            .every_seconds = what >> 4 & 1,
                                            .keep = 1 + (int64_t)(what & 3)};
    checkpointer_t *c = NULL;
    status_t status = checkpointer_create(&options, &c);
    ASSERT(status == ST_OK);
    for (int i = 0; i < DOES_MOST && in.left > 0 && (status == ST_OK || status == ST_MESSAGE); i++)
        status = step_on(c, progressive, &in);
    ASSERT(status == ST_OK || status == ST_MESSAGE); /* this disk refuses nothing */
    ASSERT(checkpointer_committed(c) >= 0 && checkpointer_last_step(c) < STEPS);
    checkpointer_destroy(&c);
    progressive_destroy(&progressive);
    ASSERT(net_fake_held(net) == 0);
    return 0;
}

#define PUT(type, from, step, count) DO_LETTER, LETTER(type, from, step, count, 0)
#define CUT(worker, step) PUT(WIRE_CUT, worker, step, 0), LETTER_ZEROS
#define DENSE(step, component) DO_LETTER, WIRE_CUT_DENSE, 0, 0, (step) + 4, 3 + 4, 4, 4 + (component), LETTER_FITS
#define PREPARED(shard, step) PUT(WIRE_PREPARED, shard, step, 0), LETTER_ZEROS
#define CHECKPOINT(step) CUT(0, step), DENSE(step, 0), PREPARED(0, step), CUT(1, step), DENSE(step, 1), PREPARED(1, step)
#define FOLDED(step) PUT(WIRE_FOLDED, 0, step, 0), PUT(WIRE_FOLDED, 1, step, 0)
#define PROGRESS(worker, steps) DO_PROGRESS | (worker) << 4 | ((steps)-1) << 5

void fuzz_seeds(void)
{
    static const uint8_t cuts[] = {CHECKPOINT(10), CHECKPOINT(20), CHECKPOINT(30), FOLDED(20), FOLDED(30)};
    static const uint8_t progress[] = {PROGRESS(0, 4), PROGRESS(1, 4), CHECKPOINT(4)};
    static const uint8_t asked[] = {DO_REQUEST, DO_TICK, PUT(WIRE_SAVE, 0, 7, 0),  PUT(WIRE_SAVE, 1, 9, 0), CHECKPOINT(9),
                                    DO_STOP,    DO_TICK, PUT(WIRE_SAVE, 0, 12, 0), DO_TRAINED | 1 << 4,     DO_TICK};
    const uint8_t keep_one = 0, with_progress = 1 << 5 | 1, by_time = 1 << 4 | 1, bounded = 1 << 2 | 1 << 6;
    fuzz_seed_with("cuts", &keep_one, 1, cuts, sizeof cuts);
    fuzz_seed_with("cuts-of-boundaries", &bounded, 1, cuts, sizeof cuts);
    fuzz_seed_with("progress", &with_progress, 1, progress, sizeof progress);
    fuzz_seed_with("asked", &keep_one, 1, asked, sizeof asked);
    fuzz_seed_with("by-time", &by_time, 1, asked, sizeof asked);
}
