/* Rank 0 in the middle of a training, and messages from anybody in any order (launcher/coordinator). What it writes of them
 * goes below /dev/shm, checkpoints into memory.
 *
 *     u8 {bits 0-1: level}, messages (letter.h): from the server, worker 0, 1, 2, shard 0, 1, 2, a stranger, the coordinator */
#include <stdio.h>
#include <stdlib.h>

#include "common/files/file.h"
#include "common/net/message.h"
#include "tests/fuzz/harness_files.h"
#include "tests/fuzz/letter.h"
#include "tests/lib/stage.h"

#define LETTERS_MOST 24
#define WORKERS 2
#define SHARDS 2

static char folder[64];

static void leave(void)
{
    const status_t status = dir_remove_tree(folder);
    (void)status;
}

static stage_t *stage_of(unsigned what)
{
    static const char *const levels[] = {"async", "bounded", "sync", "invariant"};
    static experiment_t *experiments[4];
    if (!*folder) {
        snprintf(folder, sizeof folder, "/dev/shm/smelter-fuzz.XXXXXX");
        const char *made = mkdtemp(folder);
        ASSERT(made);
        atexit(leave);
    }
    stage_options_t options = {
        .level = levels[what & 3], .depth = 1, .workers = WORKERS, .shards = SHARDS, .dir = folder, .disk = fuzz_disk()};
    if (!experiments[what & 3])
        experiments[what & 3] = stage_experiment(&options);
    options.experiment = experiments[what & 3];
    return stage_coordinator(&options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int peers[] = {STAGE_SERVER,
                                STAGE_FIRST_WORKER,
                                STAGE_FIRST_WORKER + 1,
                                STAGE_FIRST_WORKER + WORKERS,
                                PEER_SHARD(0),
                                PEER_SHARD(1),
                                PEER_SHARD(SHARDS),
                                -1,
                                0};
    fuzz_input_t in = {data, size};
    const unsigned what = fuzz_byte(&in);
    stage_t *stage = stage_of(what);
    letter_t letter;
    bool said_fatal = false;
    status_t status = ST_OK;
    for (int i = 0; i < LETTERS_MOST && in.left > 0 && status == ST_OK; i++) {
        letter_read(&in, stage->run_id, stage->incarnation, &letter);
        const int peer = peers[letter.from % (sizeof peers / sizeof *peers)];
        said_fatal = letter.header.type == WIRE_ERROR;
        status = stage_deliver(stage, peer, &letter.header, letter.frame, letter.n);
        letter_fini(&letter);
        if (status == ST_OK)
            status = stage_work(stage);
    }
    /* A rank that says that it cannot go on ends the job, for its own reason; a message that is only wrong does not. */
    ASSERT(said_fatal || (status != ST_CORRUPT && status != ST_INPUT));
    stage_destroy(&stage);
    return 0;
}

enum { SERVER, WORKER_0, WORKER_1, NOBODY, SHARD_0, SHARD_1 };
#define CUT(worker, step) LETTER(WIRE_CUT, worker, step, 0, 0), LETTER_ZEROS
#define DENSE(step) LETTER(WIRE_CUT_DENSE, WORKER_0, step, 3, 0), LETTER_FITS
#define PREPARED(shard, step) LETTER(WIRE_PREPARED, shard, step, 0, 0), LETTER_ZEROS
#define PROGRESS(worker) LETTER(WIRE_PROGRESS, worker, 0, 2, 0), LETTER_ZEROS, LETTER_ZEROS, LETTER_ZEROS
#define BEAT(from) LETTER(WIRE_HEARTBEAT, from, 3, 0, 0)
#define COUNTED(type, from, step) LETTER(type, from, step, 0, 0), LETTER_ZEROS

void fuzz_seeds(void)
{
    static const uint8_t training[] = {2,
                                       BEAT(SERVER),
                                       BEAT(WORKER_0),
                                       PROGRESS(WORKER_0),
                                       PROGRESS(WORKER_1),
                                       CUT(WORKER_0, 1),
                                       CUT(WORKER_1, 1),
                                       DENSE(1),
                                       PREPARED(SHARD_0, 1),
                                       PREPARED(SHARD_1, 1)};
    static const uint8_t end[] = {3,
                                  COUNTED(WIRE_TRAINED, WORKER_0, 40),
                                  COUNTED(WIRE_TRAINED, WORKER_1, 40),
                                  COUNTED(WIRE_FLUSHED, SHARD_0, 40),
                                  COUNTED(WIRE_FLUSHED, SHARD_1, 40),
                                  LETTER(WIRE_PREDICTIONS, WORKER_0, 0, 5, 0),
                                  LETTER_FITS,
                                  LETTER_ZEROS,
                                  LETTER_FITS,
                                  COUNTED(WIRE_EVALUATED, WORKER_0, 40),
                                  LETTER(WIRE_DENSE, WORKER_0, 0, 4, 0),
                                  LETTER_FITS};
    static const uint8_t others[] = {2,
                                     LETTER(WIRE_DIGESTS, SHARD_0, 0, 1, 0),
                                     LETTER_EXACTLY(20),
                                     LETTER(WIRE_DIGESTS, SHARD_1, 0, 1, 0),
                                     LETTER_EXACTLY(20),
                                     LETTER(WIRE_DIGESTS, WORKER_0, 0, 2, 0),
                                     LETTER_FITS,
                                     LETTER(WIRE_PROBED, WORKER_0, 8, 3, 0),
                                     LETTER_FITS,
                                     LETTER_FITS,
                                     LETTER(WIRE_CLIPPED, WORKER_0, 5, 2, 0),
                                     LETTER_FITS,
                                     LETTER_FITS,
                                     LETTER(WIRE_SAVE, WORKER_0, 7, 0, 0)};
    static const uint8_t left[] = {0,
                                   LETTER(WIRE_BYE, WORKER_0, 0, 0, 0),
                                   LETTER(WIRE_ERROR, SHARD_0, 0, 0, 0),
                                   LETTER_ZEROS,
                                   LETTER(WIRE_READY, WORKER_0, 0, 0, 0),
                                   LETTER(WIRE_LOADED, SHARD_0, 0, 3, 0),
                                   LETTER_ZEROS};
    fuzz_seed("training", training, sizeof training);
    fuzz_seed("end", end, sizeof end);
    fuzz_seed("others", others, sizeof others);
    fuzz_seed("left", left, sizeof left);
}
