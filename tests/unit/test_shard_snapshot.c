/* Proves of shard_snapshot.h, load.h and the cut in shard.c: "the cut before a step s holds what the pulls of steps < s have
 * created and the pushes of steps < s - d have changed, no more and no less", while training goes on; and that a checkpoint,
 * restored into any number of shards, goes on as if nothing had happened: the same answers to every pull, the same rows at the
 * end.
 *
 * Workers play random keys and gradients, which depend on worker and step alone, in an order that the seed draws. The oracle is
 * the same play without a checkpoint. */
#include "ps/checkpoint/shard_snapshot.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/file.h"
#include "common/net/net_sim.h"
#include "common/net/slots.h"
#include "ps/checkpoint/store.h"
#include "ps/shard.h"
#include "ps/shard_impl.h"
#include "tests/lib/disk_sim.h"
#include "tests/lib/expect.h"
#include "tests/lib/testing.h"

#define SHARDS_MOST 4
#define WORKERS_MOST 3
#define FIELDS 3
#define DIM 3 /* but for the test beyond memory */
#define DIM_MOST 900
#define KEYSPACE 150 /* of a table */
#define DRAWS 8      /* keys of a worker's step and table, repeats left out */
#define STEPS 40
#define CUTS_MOST 40
#define RUN 77
#define FIRST_WORKER 10

typedef struct setting {
    const char *level;
    bool ordered;
    int depth, staleness, workers;
    uint64_t seed; /* of delays and of the order of play */
    bool threaded;
    disk_t *disk;       /* NULL: the system's */
    int dim, memory_mb; /* 0: DIM, no bound */
} setting_t;

/* What a play has left behind. */
typedef struct outcome {
    hash_digest_t rows;           /* as FLUSHED says */
    hash_digest_t heads;          /* count, and at ordered levels version, of every row stored */
    hash_digest_t answers[STEPS]; /* the rows of every pull */
    int64_t pending;              /* of the prepared checkpoints, all shards' together */
} outcome_t;

struct cluster;
typedef struct seat {
    struct cluster *cluster;
    int shard;
} seat_t;

typedef struct cluster {
    const setting_t *o;
    int dim;
    seat_t seats[SHARDS_MOST];
    int shards;
    uint32_t incarnation;
    experiment_t *experiment;
    run_folders_t folders;
    net_sim_world_t *world;
    net_t *coordinator, *worker[WORKERS_MOST], *net[SHARDS_MOST];
    shard_t *shard[SHARDS_MOST];
    int64_t prepared[SHARDS_MOST]; /* step of the last one */
    int64_t folded[SHARDS_MOST];
    outcome_t outcome;
} cluster_t;

static void serve_shard(void *context)
{
    const seat_t *seat = context;
    net_message_t message;
    assert_int_equal(net_receive(seat->cluster->net[seat->shard], &message, 0), ST_OK);
    assert_int_equal(shard_handle(seat->cluster->shard[seat->shard], &message), ST_OK);
}

static void settle(cluster_t *c)
{
    while (net_sim_step(c->world))
        ;
}

static void start(cluster_t *c, const setting_t *setting, int shards, uint32_t incarnation, int64_t first_step, bool saves)
{
    memset(c, 0, sizeof *c);
    c->o = setting;
    c->dim = setting->dim ? setting->dim : DIM;
    c->shards = shards;
    c->incarnation = incarnation;
    char text[512];
    snprintf(text, sizeof text,
             "determinism: %s\ndata: {path: none}\ntrain: {pipeline_depth: %d, staleness: %d, step_digests: false}\n"
             "embedding: {dim: %d, init_std: %s, optimizer: %s, learning_rate: 1}\ncluster: {memory_mb: %d}\n",
             setting->level, setting->depth, setting->staleness, c->dim, setting->ordered ? "0.1" : "0",
             setting->ordered ? "adagrad" : "sgd", setting->memory_mb);
    assert_int_equal(experiment_load(test_write("config.yaml", text), NULL, 0, &c->experiment), ST_OK);
    c->folders.job = test_path("run");
    c->folders.scored = !saves && first_step > 0 ? c->folders.job : NULL;
    c->world = net_sim_world_create(setting->seed, 5);
    c->coordinator = net_sim_attach(c->world, 0);
    for (int w = 0; w < setting->workers; w++)
        c->worker[w] = net_sim_attach(c->world, FIRST_WORKER + w);
    for (int s = 0; s < shards; s++) {
        c->net[s] = net_sim_attach(c->world, 1 + s);
        net_sim_dial(c->coordinator, PEER_SHARD(s), c->net[s]);
        for (int w = 0; w < setting->workers; w++)
            net_sim_dial(c->worker[w], PEER_SHARD(s), c->net[s]);
        const shard_options_t options = {.shard = s,
                                         .shards = shards,
                                         .folders = &c->folders,
                                         .first_of_process = s == 0,
                                         .rank = 1 + s,
                                         .first_worker = FIRST_WORKER,
                                         .workers = setting->workers,
                                         .experiment = c->experiment,
                                         .net = c->net[s],
                                         .disk = setting->disk,
                                         .single_threaded = !setting->threaded};
        assert_int_equal(shard_create(&options, &c->shard[s]), ST_OK);
        c->seats[s] = (seat_t){c, s};
        net_sim_serve(c->net[s], serve_shard, &c->seats[s]);
        const bool scores = !saves && first_step > 0;
        const message_begin_t body = {.purpose = scores ? RUN_SCORES : RUN_TRAINS,
                                      .variant = -1,
                                      .fields = FIELDS,
                                      .saves = saves,
                                      .first_step = first_step,
                                      .steps = scores ? 0 : STEPS};
        wire_header_t header = wire_header(WIRE_BEGIN, RUN, incarnation, 0, 0, 0);
        assert_int_equal(net_send(c->coordinator, PEER_SHARD(s), &header, &(wire_frame_t){&body, sizeof body}, 1), ST_OK);
        net_message_t ready = expect_message(c->coordinator, WIRE_READY);
        net_release(c->coordinator, &ready);
    }
}

static void stop(cluster_t *c)
{
    for (int s = 0; s < c->shards; s++) {
        shard_destroy(&c->shard[s]);
        net_close(&c->net[s]);
    }
    net_close(&c->coordinator);
    for (int w = 0; w < c->o->workers; w++)
        net_close(&c->worker[w]);
    net_sim_world_destroy(&c->world);
    experiment_destroy(&c->experiment);
}

/* ---- messages of workers ---------------------------------------------------------------------------------------------- */

/* The keys and gradients of a worker's step that belong to one shard. */
typedef struct letter {
    wire_segment_t segments[FIELDS];
    uint64_t keys[FIELDS * DRAWS];
    float *g; /* [keys_n][dim] */
    int segments_n, keys_n;
} letter_t;

/* Borrowed until the next. */
static letter_t letter(const cluster_t *c, int worker, int64_t step, int shard)
{
    static float gradients[FIELDS * DRAWS * DIM_MOST];
    letter_t l = {.g = gradients};
    for (uint32_t t = 0; t < FIELDS; t++) {
        bool seen[KEYSPACE] = {false};
        int n = 0;
        for (uint64_t i = 0; i < DRAWS; i++) {
            const uint64_t id = (uint64_t)step * 100 + (uint64_t)worker * 10 + t, draw = rng_u64(3, id, i) % KEYSPACE;
            const uint64_t key = draw * draw % 1009 * 31 + t; /* some often, some seldom */
            if (seen[draw] || slots_shard((int)hash_slot(key), c->shards) != shard)
                continue;
            seen[draw] = true;
            bool twice = false;
            for (int k = 0; k < n; k++)
                twice = twice || l.keys[l.keys_n - n + k] == key;
            if (twice)
                continue;
            for (int d = 0; d < c->dim; d++) {
                const double u = rng_uniform(4, id, i * DIM_MOST + (uint64_t)d);
                l.g[l.keys_n * c->dim + d] = c->o->ordered ? (float)(u - 0.5) : (float)(int)(u * 9 - 4);
            }
            l.keys[l.keys_n++] = key;
            n++;
        }
        if (n > 0)
            l.segments[l.segments_n++] = (wire_segment_t){t, (uint32_t)n};
    }
    return l;
}

static void post(cluster_t *c, wire_type_t type, int worker, int64_t step, bool empty, bool is_cut)
{
    for (int s = 0; s < c->shards; s++) {
        letter_t l = letter(c, worker, step, s);
        if (empty)
            l.segments_n = l.keys_n = 0;
        wire_header_t header = wire_header(type, RUN, c->incarnation, 0, step, l.keys_n);
        header.sequence = (uint64_t)step + 1;
        header.table = is_cut;
        const wire_frame_t frames[] = {{l.segments, l.segments_n * (int64_t)sizeof *l.segments},
                                       {l.keys, l.keys_n * (int64_t)sizeof *l.keys},
                                       {l.g, (int64_t)l.keys_n * c->dim * (int64_t)sizeof *l.g}};
        assert_int_equal(net_send(c->worker[worker], PEER_SHARD(s), &header, frames, type == WIRE_PUSH ? 3 : 2), ST_OK);
    }
}

/* ---- play ------------------------------------------------------------------------------------------------------------- */

static void hear_shards(cluster_t *c)
{
    net_message_t message;
    while (net_receive(c->coordinator, &message, 0) == ST_OK) {
        const int s = PEER_SHARD_OF(message.peer);
        message_prepared_t body;
        if (message.header.type == WIRE_PREPARED) {
            assert_true(message_body(&message, &body, sizeof body));
            assert_true(message.header.step > c->prepared[s]);
            c->prepared[s] = message.header.step;
            c->outcome.pending += body.pending;
            char *path = checkpoint_delta_path(test_path("run"), c->incarnation, s, message.header.step);
            disk_file_t *file = NULL;
            int64_t bytes;
            assert_int_equal(disk_open(c->o->disk ? c->o->disk : disk_posix(), path, &file, &bytes), ST_OK);
            assert_int_equal(body.bytes, bytes);
            disk_close(&file);
            mem_free(path);
        } else {
            assert_int_equal(message.header.type, WIRE_FOLDED);
            c->folded[s] = message.header.step;
        }
        net_release(c->coordinator, &message);
    }
}

static void work(cluster_t *c, int shard)
{
    bool again;
    if (c->o->threaded)
        usleep(200); /* turns take no time, and disks do */
    assert_int_equal(shard_work(c->shard[shard], &again), ST_OK);
}

/* Let what the shards do in the background come to its end. */
static void finish_work(cluster_t *c)
{
    for (int s = 0; s < c->shards; s++)
        while (shard_has_work(c->shard[s])) {
            work(c, s);
            settle(c);
        }
    settle(c);
    hear_shards(c);
}

static void hear_rows(cluster_t *c, int worker, int64_t step, const net_message_t *rows)
{
    const letter_t l = letter(c, worker, step, PEER_SHARD_OF(rows->peer));
    const float *at = rows->frame[0].data;
    int k = 0;
    assert_int_equal(rows->header.count, l.keys_n);
    for (int i = 0; i < l.segments_n; i++)
        for (uint32_t j = 0; j < l.segments[i].count; j++, k++) {
            const uint64_t head[] = {(uint64_t)worker, l.segments[i].table, l.keys[k]};
            hash_digest_add(&c->outcome.answers[step], head, sizeof head, at + (int64_t)k * c->dim,
                            (size_t)c->dim * sizeof *at);
        }
}

typedef struct player {
    int64_t pulled, answered, pushed; /* next step of each kind */
    int heard[STEPS];                 /* shards that answered */
} player_t;

static bool is_among(int64_t step, const int64_t *steps, int n)
{
    for (int i = 0; i < n; i++)
        if (steps[i] == step)
            return true;
    return false;
}

/* Play steps first .. end - 1, with cuts before the given steps. Shards get to work on what they save when the seed lets
 * them. */
static void play(cluster_t *c, int64_t first, int64_t end, const int64_t *cuts, int n_cuts)
{
    player_t players[WORKERS_MOST];
    const int workers = c->o->workers;
    const uint64_t seed = c->o->seed * 1000 + c->incarnation;
    const int64_t ahead = 1 + c->o->depth + (int64_t)(seed % 2);
    int done = 0;
    memset(players, 0, sizeof players);
    for (int w = 0; w < workers; w++)
        players[w].pulled = players[w].answered = players[w].pushed = first;
    for (uint64_t turn = 0; done < workers; turn++) {
        assert_true(turn < 400000); /* else they wait for each other */
        const int w = (int)(rng_u64(seed, 1, turn) % (uint64_t)workers);
        player_t *p = &players[w];
        net_message_t message;
        switch (rng_u64(seed, 2, turn) % 6) {
        case 0:
        case 1:
            net_sim_step(c->world);
            break;
        case 2:
            if (p->pulled < end && p->pulled <= p->pushed + ahead) {
                post(c, WIRE_PULL, w, p->pulled, false, is_among(p->pulled, cuts, n_cuts));
                p->pulled++;
            }
            break;
        case 3:
            if (p->answered > p->pushed) {
                post(c, WIRE_PUSH, w, p->pushed++, false, false);
                done += p->pushed == end;
            }
            break;
        case 4:
            if (net_receive(c->worker[w], &message, 0) == ST_OK) {
                const int64_t step = message.header.step;
                assert_int_equal(message.header.type, WIRE_ROWS);
                hear_rows(c, w, step, &message);
                p->heard[step]++;
                while (p->answered < p->pulled && p->heard[p->answered] == c->shards)
                    p->answered++;
                net_release(c->worker[w], &message);
            }
            break;
        default:
            if (turn % 3 == 0)
                work(c, (int)(turn / 3 % (uint64_t)c->shards));
            hear_shards(c);
        }
    }
    settle(c);
}

/* After the last step: empty pulls, as client_drain; one of them may be that of a cut. */
static void drain(cluster_t *c, int64_t end, bool is_cut)
{
    const int64_t last = end + (c->o->ordered ? c->o->depth : 0);
    for (int64_t t = end; t <= last; t++)
        for (int w = 0; w < c->o->workers; w++)
            post(c, WIRE_PULL, w, t, true, is_cut && t == end);
    for (int w = 0; w < c->o->workers; w++)
        for (int64_t n = (last - end + 1) * c->shards; n > 0; n--) {
            net_message_t rows = expect_message(c->worker[w], WIRE_ROWS);
            assert_int_equal(rows.header.count, 0);
            net_release(c->worker[w], &rows);
        }
}

static status_t add_head(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    cluster_t *c = context;
    const uint64_t id[] = {table, row->key};
    const uint32_t head[] = {c->o->ordered ? row->version : 0, row->count};
    (void)payload_floats;
    hash_digest_add(&c->outcome.heads, id, sizeof id, head, sizeof head);
    return ST_OK;
}

static void flush(cluster_t *c)
{
    for (int s = 0; s < c->shards; s++) {
        c->shard[s]->steps = 0; /* the run ends where the test says */
        c->shard[s]->phase = PHASE_TRAINS;
        wire_header_t header = wire_header(WIRE_FLUSH, RUN, c->incarnation, 0, 0, 0);
        assert_int_equal(net_send(c->coordinator, PEER_SHARD(s), &header, NULL, 0), ST_OK);
        net_message_t message = expect_message(c->coordinator, WIRE_FLUSHED);
        message_counters_t counters;
        assert_true(message_body(&message, &counters, sizeof counters));
        net_release(c->coordinator, &message);
        assert_int_equal(counters.bad_messages, 0);
        const hash_digest_t digest = {counters.digest_low, counters.digest_high, counters.digest_elements};
        hash_digest_merge(&c->outcome.rows, &digest);
        store_t *store = NULL;
        assert_int_equal(store_open(test_path("run/store/shard-%d", s), false, &store), ST_OK);
        assert_int_equal(store_scan(store, add_head, c), ST_OK);
        store_close(&store);
    }
}

static void fold(cluster_t *c, int64_t step)
{
    wire_header_t header = wire_header(WIRE_FOLD, RUN, c->incarnation, 0, step, 0);
    for (int s = 0; s < c->shards; s++)
        assert_int_equal(net_send(c->coordinator, PEER_SHARD(s), &header, NULL, 0), ST_OK);
    settle(c);
}

/* Restore the checkpoint before cuts[n - 1], which `folders` shards of this incarnation wrote. */
static void restore(cluster_t *c, uint32_t incarnation, int folders, const int64_t *cuts, int n)
{
    message_restore_t body = {.step = cuts[n - 1],
                              .depth = c->o->ordered ? c->o->depth : 0,
                              .incarnation = (int32_t)incarnation,
                              .folders = folders,
                              .tables = FIELDS};
    const wire_frame_t frames[] = {{&body, sizeof body}, {cuts, n * (int64_t)sizeof *cuts}, {NULL, 0}};
    wire_header_t header = wire_header(WIRE_RESTORE, RUN, c->incarnation, 0, 0, n);
    for (int s = 0; s < c->shards; s++) {
        assert_int_equal(net_send(c->coordinator, PEER_SHARD(s), &header, frames, 3), ST_OK);
        net_message_t message = expect_message(c->coordinator, WIRE_LOADED);
        assert_int_equal(message.header.step, body.step);
        net_release(c->coordinator, &message);
    }
}

static void assert_same(const outcome_t *a, const outcome_t *b, int64_t first)
{
    assert_memory_equal(&a->rows, &b->rows, sizeof a->rows);
    assert_memory_equal(&a->heads, &b->heads, sizeof a->heads);
    for (int64_t t = first; t < STEPS; t++)
        assert_memory_equal(&a->answers[t], &b->answers[t], sizeof a->answers[t]);
}

static outcome_t undisturbed(const setting_t *setting, int shards)
{
    cluster_t c;
    start(&c, setting, shards, 1, 0, false);
    play(&c, 0, STEPS, NULL, 0);
    drain(&c, STEPS, false);
    flush(&c);
    assert_true(c.outcome.rows.elements > 100);
    stop(&c);
    return c.outcome;
}

/* ---- ordered levels --------------------------------------------------------------------------------------------------- */

/* One cut before `step`, one run to the end beside it, one from it. */
static void check_cut(const setting_t *setting, int64_t step, int64_t next, int shards, int then, const outcome_t *whole)
{
    cluster_t c;
    start(&c, setting, shards, 1, 0, true);
    play(&c, 0, STEPS, &step, 1);
    drain(&c, STEPS, false);
    finish_work(&c);
    for (int s = 0; s < shards; s++)
        assert_int_equal(c.prepared[s], step);
    const bool has_pending = setting->ordered && setting->depth > 0;
    assert_true(has_pending ? c.outcome.pending > 0 : c.outcome.pending == 0);
    flush(&c);
    stop(&c);
    if (setting->ordered)
        assert_same(&c.outcome, whole, 0); /* saving changes nothing */

    start(&c, setting, then, 2, step, true);
    restore(&c, 1, shards, &step, 1); /* rows and pushes that were restored are part of the first checkpoint that follows */
    play(&c, step, STEPS, &next, next < STEPS);
    drain(&c, STEPS, false);
    finish_work(&c);
    flush(&c);
    stop(&c);
    assert_same(&c.outcome, whole, setting->ordered ? step : STEPS);
    if (next < STEPS) {
        start(&c, setting, shards, 3, next, true);
        restore(&c, 2, then, &next, 1);
        play(&c, next, STEPS, NULL, 0);
        drain(&c, STEPS, false);
        flush(&c);
        stop(&c);
        assert_same(&c.outcome, whole, setting->ordered ? next : STEPS);
    }
}

static void test_ordered_cuts(void **state)
{
    (void)state;
    for (int depth = 0; depth <= 3; depth++)
        for (int workers = 1; workers <= WORKERS_MOST; workers += 2) {
            setting_t setting = {
                .level = depth % 2 ? "sync" : "invariant", .ordered = true, .depth = depth, .workers = workers, .seed = 1};
            test_dir();
            const outcome_t whole = undisturbed(&setting, 2);
            for (int i = 0; i < 4; i++) {
                const int64_t step = i == 0   ? 1 + depth / 2
                                     : i == 1 ? 3
                                              : 1 + (int64_t)(rng_u64(9, (uint64_t)depth, (uint64_t)i) % (STEPS - 1));
                setting.seed = (uint64_t)(i + 1);
                test_dir();
                check_cut(&setting, step, step + 1 + (i + depth) % 2 * 4, 1 + (i + depth) % 3, 1 + (i + workers) % SHARDS_MOST,
                          &whole);
            }
        }
}

/* The I/O thread in place of turns. */
static void test_cuts_with_a_thread(void **state)
{
    (void)state;
    setting_t setting = {.level = "invariant", .ordered = true, .depth = 2, .workers = 2, .seed = 5, .threaded = true};
    test_dir();
    const outcome_t whole = undisturbed(&setting, 2);
    test_dir();
    check_cut(&setting, 17, 22, 2, 3, &whole);
}

/* Rows beyond the memory for them: those that changed since the last cut and left are saved all the same. */
static void test_cuts_beyond_memory(void **state)
{
    (void)state;
    setting_t setting = {.level = "invariant", .ordered = true, .depth = 1, .workers = 2, .seed = 6, .dim = DIM_MOST};
    test_dir();
    const outcome_t whole = undisturbed(&setting, 2);
    setting.memory_mb = 1;
    for (int64_t step = 9; step <= 29; step += 10) {
        test_dir();
        catch_start();
        check_cut(&setting, step, step + 5, 1, 2, &whole);
        catch_stop();
        assert_caught(" rows left memory for disk and ");
        assert_false(catch_has("shard 0: 0 rows left memory"));
    }
}

/* ---- a chain of cuts, folded meanwhile -------------------------------------------------------------------------------- */

static void test_chains_and_folds(void **state)
{
    (void)state;
    for (int depth = 0; depth <= 2; depth++) {
        setting_t setting = {
            .level = "invariant", .ordered = true, .depth = depth, .workers = 2, .seed = 11, .threaded = depth == 1};
        test_dir();
        const outcome_t whole = undisturbed(&setting, 2);
        test_dir();
        int64_t cuts[CUTS_MOST];
        int n = 0;
        for (int64_t t = 3; t < STEPS - 6; t += 7)
            cuts[n++] = t;
        cluster_t c;
        start(&c, &setting, 2, 4, 0, true);
        catch_start(); /* a slow disk may let them wait */
        play(&c, 0, STEPS - 6, cuts, n);
        catch_stop();
        finish_work(&c);
        /* Every one of them leads on, before and after older ones are folded into the base. */
        for (int folded = -1; folded < n; folded++) {
            if (folded >= 0) {
                fold(&c, cuts[folded]);
                finish_work(&c);
                for (int s = 0; s < 2; s++) {
                    assert_int_equal(c.folded[s], cuts[folded]);
                    char *path = checkpoint_delta_path(test_path("run"), 4, s, cuts[folded]);
                    assert_false(file_exists(path));
                    mem_free(path);
                }
            }
            for (int from = folded < 0 ? 0 : folded; from < n; from += 2) {
                cluster_t r;
                start(&r, &setting, 1 + from % 3, 5, cuts[from], true);
                restore(&r, 4, 2, cuts, from + 1);
                play(&r, cuts[from], STEPS, NULL, 0);
                drain(&r, STEPS, false);
                flush(&r);
                stop(&r);
                assert_same(&r.outcome, &whole, cuts[from]);
            }
        }
        stop(&c);
    }
}

/* Cuts closer than the pipeline is deep, faster than files are written, wait for each other, and nothing is lost. */
static void test_a_cut_before_every_step(void **state)
{
    (void)state;
    setting_t setting = {.level = "sync", .ordered = true, .depth = 2, .workers = 2, .seed = 3};
    test_dir();
    const outcome_t whole = undisturbed(&setting, 2);
    test_dir();
    int64_t cuts[CUTS_MOST];
    int n = 0;
    for (int64_t t = 1; t < STEPS; t++)
        cuts[n++] = t;
    cluster_t c;
    catch_start();
    start(&c, &setting, 2, 1, 0, true);
    play(&c, 0, STEPS, cuts, n);
    catch_stop();
    finish_work(&c);
    drain(&c, STEPS, false);
    flush(&c);
    stop(&c);
    assert_caught("the checkpoint before is not on disk yet; checkpoints are asked for faster than this disk takes them");
    assert_same(&c.outcome, &whole, 0);
    assert_int_equal(c.prepared[0], STEPS - 1);
    start(&c, &setting, 3, 2, STEPS - 1, true);
    restore(&c, 1, 2, cuts, n);
    play(&c, STEPS - 1, STEPS, NULL, 0);
    drain(&c, STEPS, false);
    flush(&c);
    stop(&c);
    assert_same(&c.outcome, &whole, STEPS - 1);
}

/* "Save and stop": the flag is on an empty pull, and the run goes no further. */
static void test_save_and_stop(void **state)
{
    (void)state;
    for (int depth = 0; depth <= 2; depth++) {
        setting_t setting = {.level = "invariant", .ordered = true, .depth = depth, .workers = 3, .seed = 8};
        test_dir();
        const outcome_t whole = undisturbed(&setting, 2);
        test_dir();
        const int64_t step = 21;
        cluster_t c;
        start(&c, &setting, 3, 1, 0, true);
        play(&c, 0, step, NULL, 0);
        drain(&c, step, true);
        finish_work(&c);
        for (int s = 0; s < 3; s++)
            assert_int_equal(c.prepared[s], step);
        stop(&c);
        start(&c, &setting, 2, 2, step, true);
        restore(&c, 1, 3, &step, 1);
        play(&c, step, STEPS, NULL, 0);
        drain(&c, STEPS, false);
        flush(&c);
        stop(&c);
        assert_same(&c.outcome, &whole, step);
    }
}

/* A run that saves nothing only scores: pending pushes take effect at once. */
static void test_scoring_from_a_checkpoint(void **state)
{
    (void)state;
    for (int depth = 0; depth <= 3; depth++) {
        const setting_t setting = {.level = "sync", .ordered = true, .depth = depth, .workers = 3, .seed = 4};
        const int64_t step = 1 + depth * 6;
        cluster_t trained, scored;
        test_dir();
        start(&trained, &setting, 2, 1, 0, true);
        play(&trained, 0, step, NULL, 0);
        drain(&trained, step, true);
        finish_work(&trained);
        flush(&trained);
        stop(&trained);
        start(&scored, &setting, 3, 2, step, false);
        restore(&scored, 1, 2, &step, 1);
        flush(&scored);
        stop(&scored);
        assert_same(&scored.outcome, &trained.outcome, STEPS);
    }
}

/* ---- levels without order: sums of whole numbers do not depend on it -------------------------------------------------- */

static void test_unordered_cuts(void **state)
{
    (void)state;
    for (int bounded = 0; bounded <= 1; bounded++)
        for (uint64_t seed = 1; seed <= 6; seed++) {
            setting_t setting = {.level = bounded ? "bounded" : "async",
                                 .depth = (int)seed % 3,
                                 .staleness = 2,
                                 .workers = WORKERS_MOST,
                                 .seed = seed};
            test_dir();
            const outcome_t whole = undisturbed(&setting, 2);
            test_dir();
            check_cut(&setting, (int64_t)seed * 6 - 4, (int64_t)seed * 6 - 3, 2, 1 + (int)seed % 3, &whole);
        }
}

/* A full disk ends the shard with its reason; the checkpoint before is whole. */
static void test_a_full_disk(void **state)
{
    (void)state;
    const int64_t first = 11, second = 22;
    disk_sim_t *disk = disk_sim_create(1, 1 << 30);
    const setting_t setting = {
        .level = "sync", .ordered = true, .depth = 1, .workers = 1, .seed = 2, .disk = disk_sim_attach(disk, NULL, NULL)};
    cluster_t c;
    test_dir();
    const outcome_t whole = undisturbed(&setting, 1);
    start(&c, &setting, 1, 1, 0, true);
    play(&c, 0, first, NULL, 0);
    drain(&c, first, true);
    finish_work(&c);
    assert_int_equal(c.prepared[0], first);
    stop(&c);
    start(&c, &setting, 1, 2, first, true);
    restore(&c, 1, 1, &first, 1);
    play(&c, first, second, NULL, 0);
    disk_sim_set_room(disk, 100);
    drain(&c, second, true);
    catch_start();
    status_t status = ST_OK;
    for (bool again; status == ST_OK;) {
        assert_true(shard_has_work(c.shard[0]));
        status = shard_work(c.shard[0], &again);
    }
    catch_stop();
    assert_int_equal(status, ST_SYSTEM);
    assert_caught("step-000000000022.delta.tmp");
    stop(&c);
    disk_sim_set_room(disk, 1 << 30);
    start(&c, &setting, 1, 3, first, true);
    restore(&c, 1, 1, &first, 1);
    play(&c, first, STEPS, NULL, 0);
    drain(&c, STEPS, false);
    flush(&c);
    stop(&c);
    assert_same(&c.outcome, &whole, first);
    disk_t *node = setting.disk;
    disk_sim_detach(&node);
    disk_sim_destroy(&disk);
}

/* ---- what cannot be --------------------------------------------------------------------------------------------------- */

static void expect_refusal(net_t *net, const char *text)
{
    net_message_t message = expect_message(net, WIRE_ERROR);
    message_error_t body;
    assert_true(message_body(&message, &body, sizeof body));
    if (!strstr(body.text, text))
        fail_msg("refused with: %s", body.text);
    net_release(net, &message);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    setting_t setting = {.level = "sync", .ordered = true, .depth = 1, .workers = 1, .seed = 1};
    test_dir();
    cluster_t c;
    catch_start();
    start(&c, &setting, 1, 1, 0, false);
    post(&c, WIRE_PULL, 0, 1, false, true);
    expect_refusal(c.worker[0], "there can be no cut before its step");
    fold(&c, 1);
    expect_refusal(c.coordinator, "nothing is saved now");
    stop(&c);

    start(&c, &setting, 1, 2, 0, true);
    post(&c, WIRE_PULL, 0, 0, false, true);
    expect_refusal(c.worker[0], "there can be no cut before its step");
    fold(&c, 1);
    expect_refusal(c.coordinator, "there is no checkpoint of this step to fold");
    stop(&c);

    static const char *const reasons[] = {"its body is malformed",
                                          "its deltas are not in ascending order",
                                          "is not the one that this run begins with",
                                          "is not the one that this run begins with",
                                          "is not the one that this run begins with",
                                          "its body is malformed"};
    start(&c, &setting, 1, 3, 9, true);
    for (int i = 0; i < 6; i++) {
        int64_t deltas[] = {3, 9};
        message_restore_t body = {.step = 9, .depth = 1, .incarnation = 1, .folders = 1, .tables = FIELDS};
        body.step -= i == 0;
        deltas[0] = i == 1 ? 9 : i == 2 ? 2 : 3;
        deltas[1] = body.step = i == 2 ? 8 : body.step + (i == 0);
        body.step -= i == 0;
        body.depth += i == 3;
        body.tables += i == 4;
        body.folders -= i == 5;
        const wire_frame_t frames[] = {{&body, sizeof body}, {deltas, sizeof deltas}, {NULL, 0}};
        wire_header_t header = wire_header(WIRE_RESTORE, RUN, 3, 0, 0, sizeof deltas / sizeof *deltas);
        assert_int_equal(net_send(c.coordinator, PEER_SHARD(0), &header, frames, 3), ST_OK);
        expect_refusal(c.coordinator, reasons[i]);
    }
    stop(&c);
    catch_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordered_cuts),
        cmocka_unit_test(test_cuts_with_a_thread),
        cmocka_unit_test(test_cuts_beyond_memory),
        cmocka_unit_test(test_chains_and_folds),
        cmocka_unit_test(test_a_cut_before_every_step),
        cmocka_unit_test(test_save_and_stop),
        cmocka_unit_test(test_scoring_from_a_checkpoint),
        cmocka_unit_test(test_a_full_disk),
        cmocka_unit_test(test_unordered_cuts),
        cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
