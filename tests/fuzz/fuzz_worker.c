/* A worker, told by the coordinator what to do and answered by shards (worker/worker.h). MPI and the loader's thread are the
 * simulation's (tests/sim), with one worker; shards answer what they are asked, as the input says: rightly, with rows more or
 * less, late or never. A message of the input arrives whenever nothing else is there; after the last one the job is over.
 *
 *     u16 how shards answer, {u8 what: a run begins, it is trained, it is scored, or a message (letter.h)}                  */
#include <string.h>

#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/net/message.h"
#include "tests/fuzz/harness_files.h"
#include "tests/fuzz/letter.h"
#include "tests/lib/net_fake.h"
#include "tests/lib/sample.h"
#include "tests/lib/testing.h"
#include "tests/sim/sim_mpi.h"
#include "worker/worker.h"

enum { RANK = 2, SHARDS = 2, RUN = 5, INCARNATION = 2, FIELDS = 3, FLOATS_MOST = 4096, LETTERS_MOST = 24, WAITS_MOST = 400 };
enum { DO_BEGIN, DO_TRAIN, DO_EVALUATE, DO_LETTER };
enum { ANSWERS_RIGHTLY, ANSWERS_MORE, ANSWERS_LESS, ANSWERS_NOTHING, ANSWERS };

typedef struct worker_world {
    net_t *net;
    fuzz_input_t input;
    unsigned answers; /* bits in pairs, the next answer's last */
    uint64_t pushes[SHARDS];
    int letters, waits;
    bool is_over;
} worker_world_t;

static worker_world_t *world;
static const net_ops_t *fake_ops;
static experiment_t *experiment;

static void put(int peer, const wire_header_t *header, const wire_frame_t *bodies, int n)
{
    net_fake_put_bodies(world->net, peer, header, bodies, n);
}

/* ---- shards ------------------------------------------------------------------------------------------------------------ */

static void answer(void *context, int peer, const wire_header_t *header, const wire_frame_t *frames, int n)
{
    static const float rows[FLOATS_MOST];
    (void)context;
    (void)n;
    if (PEER_IS_SHARD(peer) && header->type == WIRE_PUSH)
        world->pushes[PEER_SHARD_OF(peer)] = header->sequence;
    if (!PEER_IS_SHARD(peer) || (header->type != WIRE_PULL && header->type != WIRE_PEEK))
        return;
    const unsigned how = world->answers & 3;
    world->answers = world->answers >> 2 | how << 14;
    const wire_segment_t *segments = frames[0].data;
    int64_t floats = 0;
    for (size_t i = 0; i < (size_t)frames[0].bytes / sizeof *segments; i++)
        floats += segments[i].count * experiment->base->embedding.dim;
    ASSERT(floats < FLOATS_MOST);
    if (how == ANSWERS_NOTHING)
        return;
    wire_header_t reply = wire_header(WIRE_ROWS, header->run_id, header->incarnation, 1, header->step, header->count);
    reply.sequence = header->sequence;
    wire_set_pushes_taken(&reply, world->pushes[PEER_SHARD_OF(peer)]);
    floats += how == ANSWERS_MORE ? 1 : how == ANSWERS_LESS && floats ? -1 : 0;
    put(peer, &reply, &(wire_frame_t){rows, floats * 4}, 1);
}

/* ---- the coordinator --------------------------------------------------------------------------------------------------- */

static void put_next(void)
{
    static const int peers[] = {PEER_COORDINATOR, PEER_COORDINATOR, PEER_COORDINATOR,
                                PEER_SHARD(0),    PEER_PULSE,       PEER_SHARD(SHARDS)};
    fuzz_input_t *in = &world->input;
    if (in->left == 0 || world->letters++ == LETTERS_MOST || world->waits > WAITS_MOST) {
        const wire_header_t stop = wire_header(WIRE_STOP, 0, 0, 0, 0, 0);
        put(PEER_COORDINATOR, &stop, NULL, 0);
        world->is_over = true;
        return;
    }
    const message_begin_t begin = {.purpose = RUN_TRAINS, .variant = -1, .fields = FIELDS, .steps = 1, .saves = 1};
    wire_header_t header = wire_header(WIRE_BEGIN, RUN, INCARNATION, 0, 0, 0);
    letter_t letter;
    switch (fuzz_byte(in) % (DO_LETTER + 2)) {
    case DO_BEGIN:
        put(PEER_COORDINATOR, &header, &(wire_frame_t){&begin, sizeof begin}, 1);
        break;
    case DO_TRAIN:
        header = wire_header(WIRE_TRAIN, RUN, INCARNATION, 0, 0, 0);
        put(PEER_COORDINATOR, &header, NULL, 0);
        break;
    case DO_EVALUATE:
        header = wire_header(WIRE_EVALUATE, RUN, INCARNATION, 0, 0, 1);
        put(PEER_COORDINATOR, &header, NULL, 0);
        break;
    default:
        letter_read(in, RUN, INCARNATION, &letter);
        put(peers[letter.from % (sizeof peers / sizeof *peers)], &letter.header, letter.frame, letter.n);
        letter_fini(&letter);
        break;
    }
}

static status_t receive(net_t *net, net_message_t *message, int64_t timeout_ms)
{
    const status_t status = fake_ops->receive(net, message, 0);
    if (status != ST_TIMEOUT)
        return status;
    net_fake_advance(net, timeout_ms * 1000000);
    world->waits += timeout_ms > 0;
    if (timeout_ms > 0 && !world->is_over)
        put_next();
    return ST_TIMEOUT;
}

/* ---- the target -------------------------------------------------------------------------------------------------------- */

static void make_experiment(void)
{
    test_dir();
    const sample_options_t options = {.path = test_path("data"),
                                      .seed = 2,
                                      .rows = 24,
                                      .single = 2,
                                      .multi = 1,
                                      .numeric = 2,
                                      .values = 4,
                                      .train_fraction = 0.7};
    sample_t *sample = sample_create(&options);
    char *text =
        mem_printf("determinism: invariant\ndefaults: 1\ndata: {path: %s}\ntrain: {batch: 8, lanes: 2, report_steps: 1}\n"
                   "model: {hidden: [4], components: 2}\nembedding: {dim: 2}\nevaluate: {probe_every: 2, probe_examples: 3}\n"
                   "cluster: {deadline_s: 10}\n",
                   options.path);
    fuzz_file("/worker.yaml", text, strlen(text));
    const status_t status = experiment_load("/worker.yaml", NULL, 0, &experiment);
    ASSERT(status == ST_OK);
    fuzz_files_forget();
    mem_free(text);
    sample_destroy(&sample);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[SHARDS] = {"shard 0", "shard 1"};
    static net_ops_t ops;
    worker_world_t now = {.input = {data, size}};
    if (!experiment)
        make_experiment();
    now.answers = (unsigned)fuzz_number(&now.input, 2);
    world = &now;
    now.net = net_fake_create(RANK, answer, NULL);
    fake_ops = now.net->ops;
    ops = *fake_ops;
    ops.receive = receive;
    now.net->ops = &ops;
    net_sim_world_t *mpi_world = net_sim_world_create(1, 5);
    sim_mpi_t *mpi = sim_mpi_create(mpi_world, 1, 10);
    cluster_t *cluster = sim_mpi_join(mpi, RANK);
    static const run_folders_t folders = {.job = "fuzz"}; /* nothing is written there */
    const worker_options_t options = {.rank = RANK,
                                      .workers = 1,
                                      .shards = SHARDS,
                                      .shard_names = names,
                                      .experiment = experiment,
                                      .folders = &folders,
                                      .net = now.net,
                                      .cluster = cluster};
    const status_t status = worker_run(&options);
    (void)status; /* a worker that cannot go on says so and leaves */
    ASSERT(net_fake_held(now.net) == 0);
    net_close(&now.net);
    sim_mpi_leave(&cluster);
    sim_mpi_destroy(&mpi);
    net_sim_world_destroy(&mpi_world);
    return 0;
}

void fuzz_seeds(void)
{
    static const uint8_t train[] = {0, 0, DO_BEGIN, DO_TRAIN, DO_EVALUATE};
    static const uint8_t lost[] = {0xc1, 2, DO_BEGIN, DO_EVALUATE, DO_TRAIN};
    static const uint8_t told[] = {0,
                                   0,
                                   DO_BEGIN,
                                   DO_LETTER,
                                   LETTER(WIRE_DENSE, 0, 0, 3, 0),
                                   LETTER_FITS,
                                   DO_LETTER,
                                   LETTER(WIRE_SCALING, 0, 0, 4, 0),
                                   LETTER_EXACTLY(4),
                                   DO_LETTER,
                                   LETTER(WIRE_TEACHER, 0, 0, 3, 0),
                                   LETTER_FITS};
    static const uint8_t save[] = {0,           0,
                                   DO_BEGIN,    DO_TRAIN,
                                   DO_LETTER,   LETTER(WIRE_SAVE, 0, -1, 0, 0),
                                   DO_LETTER,   LETTER(WIRE_SAVE, 0, 2, 1, 0),
                                   DO_LETTER,   LETTER(WIRE_ERROR, 3, 0, 0, 0),
                                   LETTER_ZEROS};
    fuzz_seed("train", train, sizeof train);
    fuzz_seed("lost", lost, sizeof lost);
    fuzz_seed("told", told, sizeof told);
    fuzz_seed("save", save, sizeof save);
}
