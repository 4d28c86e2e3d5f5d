/* A shard, and the messages of a job, in any order and from anybody (ps/shard.h), at every level of determinism.
 *
 *     u8 {bits 0-1: level, bits 2-3: pipeline_depth, bit 4: two shards, bit 6: with files},
 *     messages (letter.h): from the coordinator, the server, worker 0, 1, 2, a shard, a stranger; each followed by some work
 *
 * Without files a shard is not told to write or read tables: LMDB would take a millisecond each time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "tests/fuzz/letter.h"
#include "tests/lib/stage.h"

#define LETTERS_MOST 24
#define FILES_MOST 2 /* messages that write or read files */
#define WORKERS 3
#define RUN 9
#define KINDS_BITS 4 /* of the first byte: level and depth */

static char folder[64];

static void leave(void)
{
    const status_t status = dir_remove_tree(folder);
    (void)status;
}

static stage_t *stage_of(unsigned what)
{
    static const char *const levels[] = {"async", "bounded", "sync", "invariant"};
    if (!*folder) {
        snprintf(folder, sizeof folder, "/dev/shm/smelter-fuzz.XXXXXX");
        const char *made = mkdtemp(folder);
        ASSERT(made);
        atexit(leave);
    }
    static experiment_t *experiments[1 << KINDS_BITS];
    stage_options_t options = {.level = levels[what & 3],
                               .depth = (int)(what >> 2 & 3),
                               .staleness = 2,
                               .workers = WORKERS,
                               .shards = 1 + (int)(what >> 4 & 1),
                               .dir = folder};
    experiment_t **experiment = &experiments[what & ((1 << KINDS_BITS) - 1)];
    if (!*experiment) /* reading a configuration takes longer than all the rest */
        *experiment = stage_experiment(&options);
    options.experiment = *experiment;
    return stage_shard(&options);
}

static int peer_of(unsigned from)
{
    const int peers[] = {PEER_COORDINATOR,       STAGE_SERVER,  STAGE_FIRST_WORKER,           STAGE_FIRST_WORKER + 1,
                         STAGE_FIRST_WORKER + 2, PEER_SHARD(0), STAGE_FIRST_WORKER + WORKERS, -1};
    return peers[from % (sizeof peers / sizeof *peers)];
}

static bool is_of_files(int type)
{
    return type == WIRE_FLUSH || type == WIRE_LOAD || type == WIRE_RESTORE || type == WIRE_FOLD;
}

/* False: the receiver has ended. */
static bool deliver(stage_t *stage, const letter_t *letter)
{
    const int peer = peer_of(letter->from);
    const status_t status = stage_deliver(stage, peer, &letter->header, letter->frame, letter->n);
    if (status == ST_STOPPED)
        ASSERT(peer == PEER_COORDINATOR && letter->header.type == WIRE_STOP);
    else if (status != ST_OK) /* the coordinator may ask for what the disk refuses; nobody else ends a server */
        ASSERT(peer == PEER_COORDINATOR && status != ST_MESSAGE);
    return status == ST_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t in = {data, size};
    const unsigned what = fuzz_byte(&in);
    stage_t *stage = stage_of(what);
    letter_t letter;
    status_t status = stage_begin(stage, RUN, true);
    ASSERT(status == ST_OK && stage->sent[WIRE_READY] == 1);
    int files = what >> 6 & 1 ? FILES_MOST : 0;
    bool goes_on = true;
    for (int i = 0; i < LETTERS_MOST && in.left > 0 && goes_on; i++) {
        letter_read(&in, stage->run_id, stage->incarnation, &letter);
        if (!is_of_files(letter.header.type) || files-- > 0) {
            goes_on = deliver(stage, &letter);
            status = goes_on ? stage_work(stage) : ST_OK;
            goes_on = goes_on && status == ST_OK;
        }
        letter_fini(&letter);
    }
    stage_destroy(&stage);
    return 0;
}

/* A pull and a push of three keys of table 0 by a worker. */
#define ROWS_OF(type, worker, step, sequence) LETTER(type, 2 + worker, step, 3, sequence), LETTER_BYTES(1), 3 << 4, LETTER_FITS
#define PULL(worker, step, sequence) ROWS_OF(WIRE_PULL, worker, step, sequence)
#define PUSH(worker, step, sequence) ROWS_OF(WIRE_PUSH, worker, step, sequence), LETTER_FITS
#define STEP(step, sequence) \
    PULL(0, step, sequence), PULL(1, step, sequence), PULL(2, step, sequence), PUSH(0, step, sequence), \
        PUSH(1, step, sequence), PUSH(2, step, sequence)

static void seed(const char *kind, unsigned level, unsigned more, const uint8_t *letters, size_t bytes)
{
    char *name = mem_printf("%s-%u", kind, level);
    const uint8_t head = (uint8_t)(level | more);
    fuzz_seed_with(name, &head, 1, letters, bytes);
    mem_free(name);
}

void fuzz_seeds(void)
{
    static const uint8_t steps[] = {STEP(0, 1), STEP(1, 2)};
    static const uint8_t lost[] = {PULL(0, 0, 1),
                                   PULL(0, 0, 1),
                                   PUSH(0, 0, 2),
                                   PUSH(0, 0, 1),
                                   PUSH(0, 0, 1),
                                   PUSH(1, 1, 1),
                                   LETTER(WIRE_PEEK, 3, 0, 3, 5),
                                   LETTER_BYTES(1),
                                   3 << 4,
                                   LETTER_FITS};
    static const uint8_t flush[] = {STEP(0, 1), LETTER(WIRE_FLUSH, 0, 0, 0, 0), LETTER(WIRE_STOP, 0, 0, 0, 0)};
    static const uint8_t early[] = {PUSH(0, 3, 1), LETTER(WIRE_FOLD, 0, 10, 0, 0), LETTER(WIRE_HEARTBEAT, 2, 0, 0, 0)};
    for (unsigned level = 0; level < 4; level++) {
        seed("steps", level, 0, steps, sizeof steps);
        seed("deep", level, 1 << 2, steps, sizeof steps);
        seed("lost", level, 1 << 4, lost, sizeof lost);
        seed("flush", level, 1 << 6, flush, sizeof flush);
        seed("early", level, 1 << 6, early, sizeof early);
    }
}
