/* A worker's client (worker/client.h): what it asks for, and what comes back, from shards and from others.
 *
 *     {u8 what: a pull, a peek, a push, a look at what has come, a release, an answer that fits, a control message, or a
 *     message (letter.h)}                                                                                                    */
#include <string.h>

#include "common/base/memory.h"
#include "common/net/message.h"
#include "common/net/pieces.h"
#include "common/net/slots.h"
#include "tests/fuzz/letter.h"
#include "tests/lib/net_fake.h"
#include "tests/lib/sample.h"
#include "tests/lib/testing.h"
#include "worker/client.h"

enum { SHARDS = 2, COMPONENTS = 2, RANK = 9, RUN = 5, INCARNATION = 2, BATCHES = 3, ROWS = 6, DOES_MOST = 40 };
enum { DO_PULL, DO_PEEK, DO_PUSH, DO_LOOK, DO_RELEASE, DO_ANSWER, DO_FENCE, DO_LETTER };

static batch_t batch[BATCHES];
static table_plan_t plan;

/* The sequence of the last pull of each batch, by shard: what an answer needs. */
typedef struct client_world {
    net_t *net;
    heartbeat_t heartbeat;
    client_t *client;
    uint64_t sequence[BATCHES][SHARDS];
    bool in_flight[BATCHES], ready[BATCHES];
    int64_t keys[BATCHES][SHARDS];
} client_world_t;

static void note(void *context, int peer, const wire_header_t *header, const wire_frame_t *frames, int n)
{
    client_world_t *w = context;
    (void)frames;
    (void)n;
    if (!PEER_IS_SHARD(peer) || (header->type != WIRE_PULL && header->type != WIRE_PEEK) || header->step >= BATCHES)
        return;
    w->sequence[header->step][PEER_SHARD_OF(peer)] = header->sequence;
    w->keys[header->step][PEER_SHARD_OF(peer)] = header->count;
}

static void make_batches(void)
{
    static const int32_t widths[] = {2, 1, 3};
    uint16_t slot_shard[HASH_SLOTS];
    dataset_t *dataset = NULL;
    test_dir();
    const sample_options_t options = {
        .path = test_path("data"), .seed = 2, .rows = 30, .single = 2, .multi = 1, .values = 5, .train_fraction = 1};
    sample_t *sample = sample_create(&options);
    table_plan_init_widths(&plan, COMPONENTS, 3, widths, OPTIMIZER_SGD);
    status_t status = dataset_open(options.path, 1 << 20, &dataset);
    ASSERT(status == ST_OK);
    for (int slot = 0; slot < HASH_SLOTS; slot++)
        slot_shard[slot] = (uint16_t)(slot % SHARDS);
    batch_builder_t *builder = batch_builder_create(dataset, SHARDS, slot_shard, NULL);
    for (int b = 0; b < BATCHES; b++) {
        int64_t positions[ROWS];
        for (int i = 0; i < ROWS; i++)
            positions[i] = b * ROWS + i;
        status = batch_build(builder, positions, ROWS, b, &batch[b]);
        ASSERT(status == ST_OK);
    }
    batch_builder_destroy(&builder);
    dataset_close(&dataset);
    sample_destroy(&sample);
}

static int64_t weights_of(int b, int shard)
{
    const batch_slice_t slice = batch_pulled(&batch[b], shard);
    return COMPONENTS * batch_weights(&slice, &plan);
}

/* ---- messages ---------------------------------------------------------------------------------------------------------- */

static void put(client_world_t *w, int peer, const wire_header_t *header, const wire_frame_t *bodies, int n)
{
    net_fake_put_bodies(w->net, peer, header, bodies, n);
}

static void put_answer(client_world_t *w, int b, int shard)
{
    float rows[256] = {0};
    const int64_t weights = weights_of(b, shard);
    ASSERT(weights <= (int64_t)(sizeof rows / sizeof *rows));
    wire_header_t header = wire_header(WIRE_ROWS, RUN, INCARNATION, 1, b, w->keys[b][shard]);
    header.sequence = w->sequence[b][shard];
    pieces_t pieces; /* the last one first */
    pieces_begin(&pieces, header.count, weights);
    for (int k = 0; k < COMPONENTS; k++)
        for (int32_t i = batch[b].segment_first[shard]; i < batch[b].segment_first[shard + 1]; i++)
            pieces_add(&pieces, batch[b].segments[i].count, plan.field[batch[b].segments[i].table].width);
    for (int i = pieces.n - 1; i >= 0; i--) {
        header.count = pieces_rows(&pieces, i);
        header.piece = (uint16_t)i;
        put(w, PEER_SHARD(shard), &header, &(wire_frame_t){rows, pieces_weights(&pieces, i) * 4}, 1);
    }
}

static void put_letter(client_world_t *w, fuzz_input_t *in)
{
    static const int peers[] = {PEER_SHARD(0), PEER_SHARD(1), PEER_COORDINATOR, PEER_PULSE, PEER_SHARD(SHARDS), 3};
    letter_t letter;
    letter_read(in, RUN, INCARNATION, &letter);
    put(w, peers[letter.from % (sizeof peers / sizeof *peers)], &letter.header, letter.frame, letter.n);
    letter_fini(&letter);
}

/* ---- what a worker does ------------------------------------------------------------------------------------------------ */

static status_t pull(client_world_t *w, int b, bool peek)
{
    if (w->in_flight[b])
        return ST_OK;
    w->in_flight[b] = true;
    w->ready[b] = false;
    return client_pull(w->client, &batch[b], peek);
}

static status_t push(client_world_t *w, int b)
{
    if (client_unacknowledged(w->client) > 8 * SHARDS)
        return ST_OK;
    client_push_begin(w->client, &batch[b]);
    for (int s = 0; s < SHARDS; s++)
        memset(client_push_base(w->client)[s], 0, sizeof(float) * (size_t)weights_of(b, s));
    return client_push_send(w->client, &batch[b]);
}

static status_t look(client_world_t *w, int b)
{
    if (!w->in_flight[b])
        return client_poll(w->client, b);
    TRY(client_ready(w->client, b, &w->ready[b]));
    if (!w->ready[b])
        return ST_OK;
    const float **row = MEM_ARRAY(const float *, batch[b].uniques);
    volatile float last;
    for (int set = 0; set < COMPONENTS; set++) {
        client_rows(w->client, &batch[b], set, row);
        for (int32_t u = 0; u < batch[b].uniques; u++)
            last = row[u][0];
    }
    (void)last;
    mem_free(row);
    return ST_OK;
}

static status_t step_on(client_world_t *w, fuzz_input_t *in)
{
    const unsigned what = fuzz_byte(in), b = (what >> 3) % BATCHES;
    switch (what & 7) {
    case DO_PULL:
    case DO_PEEK:
        return pull(w, (int)b, (what & 7) == DO_PEEK);
    case DO_PUSH:
        return push(w, (int)b);
    case DO_LOOK:
        return look(w, (int)b);
    case DO_RELEASE:
        if (w->in_flight[b])
            client_release(w->client, b);
        w->in_flight[b] = false;
        return ST_OK;
    case DO_ANSWER:
        if (w->in_flight[b])
            put_answer(w, (int)b, (int)(what >> 6 & 1));
        return ST_OK;
    case DO_FENCE:
        net_fake_advance(w->net, 1000000000);
        return client_poll(w->client, 0);
    default:
        put_letter(w, in);
        return ST_OK;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[SHARDS] = {"shard 0", "shard 1"};
    fuzz_input_t in = {data, size};
    client_world_t w = {0};
    if (!plan.tables)
        make_batches();
    pieces_set_bytes(32); /* several of an answer */
    w.net = net_fake_create(RANK, note, &w);
    heartbeat_init(&w.heartbeat, w.net, RANK, 500, 100);
    w.client = client_create(&(client_options_t){w.net, &w.heartbeat, SHARDS, names, 1000});
    client_begin(w.client, RUN, INCARNATION, &plan);
    status_t status = ST_OK;
    for (int i = 0; i < DOES_MOST && in.left > 0 && status == ST_OK; i++)
        status = step_on(&w, &in);
    client_destroy(&w.client);
    ASSERT(net_fake_held(w.net) == 0);
    net_close(&w.net);
    return 0;
}

#define DO(what, b) ((what) | (b) << 3)
#define ANSWER(b) DO(DO_ANSWER, b), DO(DO_ANSWER, b) | 1 << 6
#define STEP(b) DO(DO_PULL, b), ANSWER(b), DO(DO_LOOK, b), DO(DO_PUSH, b), DO(DO_RELEASE, b)

void fuzz_seeds(void)
{
    static const uint8_t steps[] = {STEP(0), STEP(1), STEP(2)};
    static const uint8_t again[] = {DO(DO_PULL, 0), DO(DO_PEEK, 1), DO(DO_PUSH, 0), DO_FENCE,  DO(DO_LOOK, 0),
                                    DO_FENCE,       DO(DO_LOOK, 0), ANSWER(0),      ANSWER(0), DO(DO_LOOK, 0)};
    static const uint8_t others[] = {DO(DO_PULL, 0), DO_LETTER,     LETTER(WIRE_ROWS, 0, 0, 3, 1),
                                     LETTER_FITS,    DO_LETTER,     LETTER(WIRE_ERROR, 1, 0, 0, 0),
                                     LETTER_ZEROS,   DO(DO_LOOK, 0)};
    static const uint8_t told[] = {DO_LETTER,
                                   LETTER(WIRE_HEARTBEAT, 3, 0, 0, 0),
                                   DO_LETTER,
                                   LETTER(WIRE_SAVE, 2, 5, 0, 0),
                                   DO_LETTER,
                                   LETTER(WIRE_EVALUATE, 2, 0, 1, 0),
                                   DO_LETTER,
                                   LETTER(WIRE_TRAIN, 2, 0, 0, 0),
                                   DO_FENCE,
                                   DO_LETTER,
                                   LETTER(WIRE_STOP, 2, 0, 0, 0),
                                   DO_FENCE};
    fuzz_seed("steps", steps, sizeof steps);
    fuzz_seed("again", again, sizeof again);
    fuzz_seed("others", others, sizeof others);
    fuzz_seed("told", told, sizeof told);
}
