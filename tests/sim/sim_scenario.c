#include "tests/sim/sim_scenario.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "common/net/wire.h"
#include "common/products/gemm.h"
#include "launcher/checkpoint/checkpoint_catalog.h"
#include "tests/lib/sample.h"
#include "tests/lib/testing.h"
#include "tests/sim/sim_hash.h"
#include "tests/sim/sim_job.h"
#include "tests/sim/sim_lmdb.h"
#include "tests/sim/sim_rot.h"

#define STARTS_MOST 6
#define EVENTS_MOST 3
#define MALICE_MOST 3
#define DAMAGES_MOST 4
#define ROOM INT64_C(1000000000)
#define MS INT64_C(1000000)

/* ---- configurations, and what each gives undisturbed ---- */

typedef struct shape {
    const char *overrides;
    bool invariant;
    int workers; /* at least, and a multiple; 0: any */
    bool loose;  /* no two runs are equal; all else must hold */
} shape_t;

static const shape_t shapes[] = {
    {"train.pipeline_depth=0", true, 0, false},
    {"train.pipeline_depth=1", true, 0, false},
    {"train.pipeline_depth=2 train.last_batch=own train.lanes=8", true, 0, false},
    {"train.pipeline_depth=1 model.components=2 objective.kind=codistill", true, 0, false},
    {"train.pipeline_depth=1 train.report_steps=7 embedding.optimizer=adagrad_row checkpoint.every_seconds=0.03", true, 0,
     false},
    {"train.pipeline_depth=1 model.components=2 objective.kind=codistill objective.form=groups objective.exchange_steps=3",
     true, 2, false},
    {"determinism=sync train.pipeline_depth=1 checkpoint.every_seconds=0.05 checkpoint.keep=1", false, 0, false},
    {"determinism=sync train.pipeline_depth=0", false, 0, false},
    {"determinism=sync train.pipeline_depth=2 train.last_batch=drop", false, 0, false},
    {"train.pipeline_depth=1 embedding.min_count=3", true, 0, false},
    {"train.pipeline_depth=2 embedding.ttl_steps=3", true, 0, false},
    {"train.pipeline_depth=0 embedding.min_count=2 embedding.ttl_steps=4", true, 0, false},
    {"determinism=async", false, 0, true},
    {"determinism=bounded train.staleness=2", false, 0, true},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static const int periods[] = {0, 0, 1, 2, 3, 5, 8};
enum { PERIODS = sizeof periods / sizeof *periods, UNDISTURBED = 0 /* the first: nothing is saved */ };

/* Lines of a text in ascending order, without what a clock said. */
typedef struct lines {
    char **at;
    size_t n, capacity;
} lines_t;

static void lines_fini(lines_t *lines)
{
    for (size_t i = 0; i < lines->n; i++)
        mem_free(lines->at[i]);
    mem_free(lines->at);
    *lines = (lines_t){0};
}

typedef struct golden {
    bool known;
    char digest[33];
    double loss, progressive;
    lines_t lines;    /* of metrics.jsonl, steps.jsonl and probes.jsonl */
    int64_t ended_ns; /* how long the undisturbed job took */
} golden_t;

static sample_t *sample;
static char *root, *data_path;
static experiment_t *experiments[SHAPES][PERIODS];
static golden_t goldens[SHAPES][SIM_SHARDS_MOST + 1][SIM_WORKERS_MOST + 1];

void sim_begin(void)
{
    setenv("TMPDIR", "/dev/shm", 0); /* LMDB waits for a disk, often */
    setenv("SMELTER_PROGRESS", "off", 1);
    gemm_init();
    test_dir();
    root = mem_strdup(test_path("sim"));
    data_path = mem_strdup(test_path("data"));
    const sample_options_t options = {.path = data_path,
                                      .seed = 7,
                                      .rows = 260,
                                      .single = 2,
                                      .multi = 1,
                                      .numeric = 1,
                                      .values = 40,
                                      .train_fraction = 0.8,
                                      .weights = true};
    sample = sample_create(&options);
    ASSERT(2 * sample->train_rows % 16); /* the last batch is short, and some runs are cut right before it */
}

void sim_end(void)
{
    for (int s = 0; s < SHAPES; s++)
        for (int p = 0; p < PERIODS; p++)
            experiment_destroy(&experiments[s][p]);
    sample_destroy(&sample);
    mem_free(root);
    mem_free(data_path);
    root = data_path = NULL;
    golden_t *all = &goldens[0][0][0];
    for (size_t i = 0; i < sizeof goldens / sizeof *all; i++)
        lines_fini(&all[i].lines);
    memset(goldens, 0, sizeof goldens);
}

static int compare_lines(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void add_lines(const char *dir, const char *name, lines_t *lines)
{
    char *path = run_path(dir, name), *text, *rest;
    size_t bytes;
    if (!file_exists(path)) { /* no digests at async and bounded */
        mem_free(path);
        return;
    }
    if (file_read(path, &text, &bytes) != ST_OK)
        abort();
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *clock = strstr(line, ", \"seconds\":");
        if (clock)
            *clock = 0;
        MEM_GROW(lines->at, lines->capacity, lines->n + 1);
        lines->at[lines->n++] = mem_strdup(line);
    }
    mem_free(text);
    mem_free(path);
}

/* The metrics of the run in `dir`: losses of intervals, digests of steps. Those of a step come from several ranks, in any
 * order. */
static lines_t read_lines(const char *dir)
{
    lines_t lines = {0};
    add_lines(dir, FILE_METRICS, &lines);
    add_lines(dir, FILE_STEPS, &lines);
    add_lines(dir, FILE_PROBE_STEPS, &lines); /* with hashes of what was predicted */
    qsort(lines.at, lines.n, sizeof *lines.at, compare_lines);
    return lines;
}

static const experiment_t *experiment_of(int shape, int period)
{
    experiment_t **e = &experiments[shape][period];
    if (*e)
        return *e;
    char text[1024], words[256];
    const char *overrides[16];
    int n = 0;
    snprintf(text, sizeof text,
             "determinism: invariant\ndefaults: 1\ndata: {path: %s}\n"
             "train: {batch: 16, lanes: 4, epochs: 2, report_steps: 4}\n"
             "model: {hidden: [6, 4], activation: smelu, beta: 0.5}\n"
             "embedding: {dim: 2}\n"
             "cluster: {deadline_s: %g, retry_ms: 100}\n"
             "checkpoint: {every_steps: %d, keep: 2}\n"
             "evaluate: {probe_every: 5, probe_examples: 14}\n",
             data_path, SIM_DEADLINE_S, periods[period]);
    snprintf(words, sizeof words, "%s", shapes[shape].overrides);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        overrides[n++] = word;
    if (period == UNDISTURBED)
        overrides[n++] = "checkpoint.every_seconds=0";
    if (experiment_load(test_write("sim.yaml", text), overrides, n, e) != ST_OK)
        abort();
    return *e;
}

static const golden_t *golden_of(int shape, int shards, int workers)
{
    if (shapes[shape].invariant) {
        shards = 1;
        workers = shapes[shape].workers ? shapes[shape].workers : 1;
    }
    golden_t *g = &goldens[shape][shards][workers];
    if (g->known)
        return g;
    disk_sim_t *disk = disk_sim_create(0, ROOM);
    char *dir = mem_printf("%s-golden", root);
    sim_job_result_t result;
    const sim_job_options_t options = {
        .experiment = experiment_of(shape, UNDISTURBED), .shards = shards, .workers = workers, .run_dir = dir, .disk = disk};
    if (dir_create(dir) != ST_OK)
        abort();
    sim_job_run(&options, &result);
    if (result.status != ST_OK || result.stuck)
        abort();
    *g = (golden_t){.known = true,
                    .loss = result.manifest.result.quality.logloss,
                    .progressive = result.manifest.result.quality.progressive_logloss,
                    .lines = read_lines(dir),
                    .ended_ns = result.ended_ns};
    snprintf(g->digest, sizeof g->digest, "%s", result.manifest.result.digest);
    manifest_fini(&result.manifest);
    if (dir_remove_tree(dir) != ST_OK)
        abort();
    mem_free(dir);
    disk_sim_destroy(&disk);
    return g;
}

/* ---- a scenario ---- */

typedef struct scenario {
    uint64_t seed, draws;
    sim_mistake_t mistake;
    int shape, period, shards, workers;
    int64_t slice_bytes, row_bytes, piece_bytes;
    const golden_t *golden;
    char *run_dir;
    disk_sim_t *disk;
    malice_t *malice; /* NULL: nobody speaks who has no part in the job */
    bool rots;        /* the disk does worse than to lose what was not synced */
    sim_verdict_t *verdict;
    char lines[32768]; /* what the job said was wrong */
    size_t used;
    uint32_t incarnation;      /* of the start that is under way */
    checkpoint_id_t announced; /* the newest one that was; incarnation 0: none */
    int64_t resumed_at;        /* the step that this start goes on from; 0: from scratch */
} scenario_t;

static double uniform(scenario_t *s)
{
    return rng_uniform(s->seed, 100, s->draws++);
}

static double draw(void *scenario)
{
    return uniform(scenario);
}

static int pick(scenario_t *s, int n)
{
    return (int)(uniform(s) * n);
}

static void draw_cluster(scenario_t *s)
{
    const int least = shapes[s->shape].workers;
    s->shards = 1 + pick(s, 3);
    s->workers = 1 + pick(s, shapes[s->shape].invariant ? 4 : 3);
    if (least && s->workers % least)
        s->workers = least;
}

/* A probability: often 0, seldom up to a fifth. */
static double rare(scenario_t *s)
{
    const double u = uniform(s);
    return u < 0.4 ? 0 : 0.25 * (u - 0.4) * (u - 0.4) * 2;
}

static void draw_event(scenario_t *s, const sim_job_options_t *o, sim_event_t *e)
{
    static const sim_kind_t kinds[] = {SIM_KILL,      SIM_KILL,  SIM_KILL,      SIM_KILL, SIM_BOMB,  SIM_BOMB,
                                       SIM_SYNC_BOMB, SIM_PAUSE, SIM_PARTITION, SIM_FULL, SIM_ERROR, SIM_ERROR,
                                       SIM_MEMORY,    SIM_SAVE,  SIM_SAVE,      SIM_STOP};
    e->kind = kinds[pick(s, (int)(sizeof kinds / sizeof *kinds))];
    e->rank = pick(s, 1 + o->shards + o->workers);
    if (((e->kind == SIM_BOMB || e->kind == SIM_ERROR) && e->rank > o->shards) ||
        (e->kind == SIM_SYNC_BOMB && uniform(s) < 0.7))
        e->rank = 0; /* workers have no disk, and the coordinator's has the manifests */
    e->n = e->kind == SIM_FULL     ? pick(s, 40000)
           : e->kind == SIM_MEMORY ? 1 + (int64_t)exp(uniform(s) * log(3000))
                                   : 1 + pick(s, e->kind == SIM_BOMB || e->kind == SIM_ERROR ? 120 : 12);
    const double length = uniform(s);
    e->ns = (int64_t)(length < 0.8 ? length * 1000 * MS : 3.0 * SIM_DEADLINE_S * 1e9);
    if (e->kind == SIM_ERROR)
        e->ns = length < 0.5 ? 0 : (int64_t)(length * 30); /* more calls that fail */
}

static void put_event(sim_job_options_t *o, sim_event_t *events, const sim_event_t *event)
{
    int at = o->n_events++;
    for (; at > 0 && event->at_ns < events[at - 1].at_ns; at--)
        events[at] = events[at - 1];
    events[at] = *event;
}

/* Letters of those who have no part in the job. They disturb nothing, so no start is spared. */
static void draw_malice(scenario_t *s, int start, sim_job_options_t *o, sim_event_t *events)
{
    static const sim_kind_t first[] = {SIM_STRANGER, SIM_ROLE, SIM_WILD},
                            later[] = {SIM_STRANGER, SIM_ROLE, SIM_WILD, SIM_REPLAY, SIM_REPLAY};
    for (int i = 1 + pick(s, MALICE_MOST); s->malice && i > 0; i--) {
        const sim_event_t event = {.at_ns = (int64_t)(uniform(s) * (double)s->golden->ended_ns),
                                   .kind = start == 0 ? first[pick(s, 3)] : later[pick(s, 5)],
                                   .ns = (int64_t)(uniform(s) * 200 * MS),
                                   .n = 1 + pick(s, 12)};
        put_event(o, events, &event);
    }
}

/* Bits flip, before the start or while it runs, and writes go astray. */
static void draw_damage(scenario_t *s, int start, sim_job_options_t *o, sim_event_t *events)
{
    for (int i = pick(s, DAMAGES_MOST + 1); s->rots && start < STARTS_MOST - 2 && i > 0; i--) {
        const bool astray = uniform(s) < 0.4;
        sim_event_t event = {.at_ns = uniform(s) < 0.5 ? 0 : (int64_t)(uniform(s) * (double)s->golden->ended_ns),
                             .kind = SIM_ROT,
                             .n = 1 + pick(s, 4)};
        if (s->mistake == SIM_OVERLOOKS_PLACES || (astray && s->mistake != SIM_OVERLOOKS_ROT))
            event = (sim_event_t){
                .at_ns = event.at_ns, .kind = SIM_MISDIRECT, .rank = pick(s, 1 + o->shards), .n = 1 + pick(s, 12)};
        put_event(o, events, &event);
    }
}

/* Faults that a start of the job has to stand; none from some start on. */
static void draw_faults(scenario_t *s, int start, sim_job_options_t *o, sim_event_t *events)
{
    disk_sim_set_room(s->disk, ROOM);
    if (start >= STARTS_MOST - 2)
        return;
    const int n = pick(s, start == 0 ? EVENTS_MOST + 1 : 2);
    o->launcher_kills = uniform(s) < 0.7;
    for (int i = 0; i < n; i++) {
        sim_event_t event;
        const double early = start ? uniform(s) : 1; /* what goes wrong again soon finds what was just restored */
        event.at_ns = (int64_t)(early * uniform(s) * (double)s->golden->ended_ns);
        draw_event(s, o, &event);
        put_event(o, events, &event);
    }
    if (uniform(s) < 0.5)
        o->faults = (net_sim_faults_t){.types = 1ull << WIRE_PULL | 1ull << WIRE_PEEK | 1ull << WIRE_ROWS | 1ull << WIRE_PUSH,
                                       .drop = rare(s),
                                       .duplicate = rare(s),
                                       .late = rare(s),
                                       .late_ns = (int64_t)(uniform(s) * 100 * MS)};
    const double slow = uniform(s);
    disk_sim_set_speed(s->disk, slow < 0.5 ? 20000 : 2 * MS, slow < 0.3 ? 100000 : slow < 0.8 ? 5 * MS : 60 * MS);
}

static void keep_line(void *context, log_level_t level, const char *text)
{
    scenario_t *s = context;
    if (level <= LOG_WARN && s->used < sizeof s->lines - 1)
        s->used += (size_t)snprintf(s->lines + s->used, sizeof s->lines - s->used, "%s\n", text);
    if (s->used > sizeof s->lines - 1)
        s->used = sizeof s->lines - 1;
    const char *said;
    if ((said = strstr(text, "checkpoint before step ")) && strstr(said, " rows, ")) {
        s->announced = (checkpoint_id_t){s->incarnation, atoll(said + strlen("checkpoint before step "))};
        s->verdict->checkpoints++;
    }
    if ((said = strstr(text, " goes on before step "))) {
        s->resumed_at = atoll(said + strlen(" goes on before step "));
        s->verdict->resumes++;
    }
    if (getenv("SIM_VERBOSE") || strstr(text, "internal error"))
        fprintf(stderr, "    %d %s\n", level, text);
}

static bool violated(scenario_t *s, const char *format, ...) PRINTF_LIKE(2, 3);
static bool violated(scenario_t *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s->verdict->violation, sizeof s->verdict->violation, format, args);
    va_end(args);
    s->verdict->good = false;
    return false;
}

static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool check_lines(scenario_t *s)
{
    lines_t lines = read_lines(s->run_dir);
    const lines_t *g = &s->golden->lines;
    bool good = true;
    for (size_t i = 0; good && (i < lines.n || i < g->n); i++) {
        const char *line = i < lines.n ? lines.at[i] : "nothing", *wanted = i < g->n ? g->at[i] : "nothing";
        if (strcmp(line, wanted) != 0)
            good = violated(s, "metrics or steps have %.160s, undisturbed %.160s", line, wanted);
    }
    lines_fini(&lines);
    return good;
}

static bool check_result(scenario_t *s, const manifest_t *m)
{
    const golden_t *g = s->golden;
    if (shapes[s->shape].loose)
        return true;
    if (strcmp(m->result.digest, g->digest) != 0)
        return violated(s, "digest %s, undisturbed %s", m->result.digest, g->digest);
    if (!same(m->result.quality.logloss, g->loss))
        return violated(s, "loss %.17g, undisturbed %.17g", m->result.quality.logloss, g->loss);
    if (!same(m->result.quality.progressive_logloss, g->progressive))
        return violated(s, "progressive loss %.17g, undisturbed %.17g", m->result.quality.progressive_logloss, g->progressive);
    return check_lines(s);
}

/* The events of a start as text, valid until the next call. */
static const char *happened(const sim_job_options_t *o)
{
    static const char *const kinds[SIM_KIND_COUNT] = {"dies",
                                                      "stands still",
                                                      "is cut off",
                                                      "dies at a call of its disk",
                                                      "dies at a sync_dir",
                                                      "sees a full disk",
                                                      "has a disk with errors",
                                                      "is out of memory",
                                                      "is asked to stop",
                                                      "is asked to save",
                                                      "and all others have a disk that rots",
                                                      "has a write that goes elsewhere",
                                                      "and all others hear strangers",
                                                      "and all others hear an earlier start",
                                                      "and all others hear what nobody may send",
                                                      "and all others hear what cannot be"};
    static char text[512];
    size_t used = 0;
    text[0] = 0;
    if (o->faults.types)
        used +=
            (size_t)snprintf(text, sizeof text, "%.3f dropped, %.3f twice, %.3f up to %.0f ms late%s", o->faults.drop,
                             o->faults.duplicate, o->faults.late, (double)o->faults.late_ns * 1e-6, o->n_events ? ", " : "");
    for (int i = 0; i < o->n_events && used < sizeof text; i++) {
        const sim_event_t *e = &o->events[i];
        used += (size_t)snprintf(text + used, sizeof text - used, "%srank %d %s at %.0f ms", i ? ", " : "", e->rank,
                                 kinds[e->kind], (double)e->at_ns * 1e-6);
        if (e->n && used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, " (%" PRId64 ")", e->n);
        if ((e->kind == SIM_PAUSE || e->kind == SIM_PARTITION) && used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, " for %.0f ms", (double)e->ns * 1e-6);
    }
    return text;
}

/* May a job end without a result because of it? */
static bool disturbs(const sim_event_t *e)
{
    return e->kind < SIM_SAVE;
}

/* Was this rank disturbed, or all by the coordinator's being cut off? */
static bool is_disturbed(const sim_job_options_t *o, int rank)
{
    for (int i = 0; i < o->n_events; i++)
        if (disturbs(&o->events[i]) &&
            (o->events[i].rank == rank || (o->events[i].rank == 0 && o->events[i].kind == SIM_PARTITION)))
            return true;
    return false;
}

static bool is_any_disturbed(const sim_job_options_t *o)
{
    for (int i = 0; i < o->n_events; i++)
        if (disturbs(&o->events[i]))
            return true;
    return false;
}

/* A rank that is said to be missing must be one that the scenario disturbed. */
static bool check_names(scenario_t *s, const sim_job_options_t *o, int start)
{
    const char *line = strstr(s->lines, "waiting for ");
    if (!line)
        return true;
    const char *end = strchr(line, '\n');
    for (const char *at = strstr(line, "(rank "); at && at < end; at = strstr(at + 1, "(rank "))
        if (!is_disturbed(o, atoi(at + strlen("(rank "))))
            return violated(s, "start %d: the wrong rank is named in \"%.*s\" (%s)", start, (int)(end - line), line,
                            happened(o));
    return true;
}

/* What a loss of power leaves. */
static bool check_checkpoints(scenario_t *s, int start)
{
    checkpoint_catalog_t found;
    disk_t *node = disk_sim_attach(s->disk, NULL, NULL);
    if (checkpoint_catalog_read(node, s->run_dir, &found) != ST_OK)
        abort();
    const checkpoint_id_t a = s->announced;
    bool kept = a.incarnation == 0;
    for (int64_t i = 0; i < found.n; i++)
        kept |= found.at[i].incarnation == a.incarnation && found.at[i].step == a.step;
    s->incarnation = found.incarnations ? found.incarnations : 1;
    checkpoint_catalog_fini(&found);
    disk_sim_detach(&node);
    return kept || violated(s, "start %d: the checkpoint before step %" PRId64 " of incarnation %u was announced and is lost",
                            start, a.step, a.incarnation);
}

static void add_counts(net_sim_counts_t *sum, const net_sim_counts_t *one)
{
    sum->sent += one->sent;
    sum->dropped += one->dropped;
    sum->duplicated += one->duplicated;
    sum->late += one->late;
    sum->held += one->held;
    sum->strangers += one->strangers;
    sum->misshapen += one->misshapen;
    sum->refused += one->refused;
}

void sim_verdict_add(sim_verdict_t *sum, const sim_verdict_t *one)
{
    sum->starts += one->starts;
    sum->kills += one->kills;
    sum->resumes += one->resumes;
    sum->checkpoints += one->checkpoints;
    sum->damaged += one->damaged;
    add_counts(&sum->counts, &one->counts);
}

/* A start that ended without a result. */
static bool check_failure(scenario_t *s, const sim_job_options_t *o, const sim_job_result_t *result, int start)
{
    const bool is_damaged = disk_sim_is_named(s->disk, s->lines) || sim_rot_is_named(s->lines);
    if (result->stuck)
        return violated(s, "start %d: rank %d waits past every deadline (%s)", start, result->stuck_rank, happened(o));
    if (!is_any_disturbed(o) && !is_damaged)
        return violated(s, "start %d: no rank was disturbed (%s), and it ended with \"%s\": %.300s", start, happened(o),
                        status_name(result->status), s->lines);
    if (is_damaged) {
        s->verdict->damaged++;
        disk_sim_heal(s->disk);
        sim_rot_heal();
    }
    return check_names(s, o, start);
}

static status_t count_stored(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    (void)table, (void)payload_floats, (void)row;
    ++*(int64_t *)context;
    return ST_OK;
}

static status_t scan_store(const manifest_t *m, int64_t shard, const char *path, int64_t *rows)
{
    store_t *store = NULL;
    status_t status;
    TRY_DONE(store_open(path, false, &store));
    TRY_DONE(manifest_check_store(m, shard, store));
    TRY_DONE(store_scan(store, count_stored, rows));
done:
    store_close(&store);
    return status;
}

/* The stores of the run are there, with the rows that its digest is of. */
static bool check_stores(scenario_t *s, const manifest_t *m)
{
    for (int64_t shard = 0; shard < manifest_shards(m); shard++) {
        int64_t rows = 0;
        char *path = run_store_path(s->run_dir, (int)shard);
        const status_t status = scan_store(m, shard, path, &rows);
        mem_free(path);
        if (status != ST_OK || rows != m->stores[shard].elements)
            return violated(s, "store %" PRId64 ": %s, %" PRId64 " rows of %" PRId64 " are there: %.300s", shard,
                            status_name(status), rows, m->stores[shard].elements, s->lines);
    }
    return true;
}

/* A bit flips in a store that is whole: whoever reads it finds that out. */
static bool check_rot_is_seen(scenario_t *s, const manifest_t *m)
{
    store_t *store = NULL;
    char *path = run_store_path(s->run_dir, pick(s, (int)manifest_shards(m)));
    sim_rot_flip(path, draw, s);
    status_t status;
    TRY_DONE(store_open(path, false, &store));
    TRY_DONE(store_verify(store));
done:
    store_close(&store);
    mem_free(path);
    sim_rot_heal();
    return status == ST_CORRUPT ||
           violated(s, "a bit of a store flipped, and to read it ended with \"%s\"", status_name(status));
}

/* A start that has a result. */
static bool check_success(scenario_t *s, const sim_job_result_t *result, int64_t announced, int start)
{
    if (s->resumed_at < announced)
        return violated(s,
                        "start %d: goes on before step %" PRId64 ", when the checkpoint before step %" PRId64 " was announced",
                        start, s->resumed_at, announced);
    if (result->stuck)
        return violated(s, "start %d: the result is there, but a rank still waits", start);
    return check_stores(s, &result->manifest) && check_rot_is_seen(s, &result->manifest) && check_result(s, &result->manifest);
}

static void set_mistakes(scenario_t *s, sim_job_options_t *o)
{
    static const net_sim_mistake_t of_net[SIM_MISTAKE_COUNT] = {[SIM_BELIEVES_STRANGERS] = NET_SIM_BELIEVES_STRANGERS,
                                                                [SIM_BELIEVES_HEADERS] = NET_SIM_BELIEVES_HEADERS,
                                                                [SIM_FORGETS_STARTS] = NET_SIM_FORGETS_RUNS};
    static const disk_sim_mistake_t of_disk[SIM_MISTAKE_COUNT] = {[SIM_RENAMES_BEFORE_SYNC] = DISK_SIM_SYNCS_AFTER_RENAME,
                                                                  [SIM_ACKNOWLEDGES_EARLY] = DISK_SIM_SAYS_DONE_BEFORE,
                                                                  [SIM_HIDES_ERRORS] = DISK_SIM_HIDES_ERRORS};
    o->merges_by_arrival = s->mistake == SIM_MERGES_BY_ARRIVAL;
    o->takes_wild = s->mistake == SIM_TAKES_WILD;
    o->loses_refused = s->mistake == SIM_LOSES_REFUSED;
    o->folds_unsynced = s->mistake == SIM_FOLDS_UNSYNCED;
    o->net_mistake = of_net[s->mistake];
    disk_sim_set_mistake(s->disk, of_disk[s->mistake]);
}

/* One start of the job. True: go on with another one. */
static bool start_job(scenario_t *s, int start)
{
    const int64_t announced = s->announced.step;
    sim_event_t events[EVENTS_MOST + MALICE_MOST + DAMAGES_MOST];
    sim_job_result_t result;
    sim_job_options_t o = {.experiment = experiment_of(s->shape, s->period),
                           .shards = s->shards,
                           .workers = s->workers,
                           .seed = rng_u64(s->seed, 101, (uint64_t)start),
                           .run_dir = s->run_dir,
                           .disk = s->disk,
                           .resume = start > 0,
                           .slice_bytes = s->slice_bytes,
                           .row_bytes = s->row_bytes,
                           .piece_bytes = s->piece_bytes,
                           .events = events,
                           .malice = s->malice};
    draw_faults(s, start, &o, events);
    draw_malice(s, start, &o, events);
    draw_damage(s, start, &o, events);
    set_mistakes(s, &o);
    if (s->rots && start > 0 && start < STARTS_MOST - 2 && uniform(s) < 0.3)
        sim_rot_flip(s->run_dir, draw, s);
    s->resumed_at = 0;
    s->used = 0;
    s->lines[0] = 0;
    sim_job_run(&o, &result);
    s->verdict->starts++;
    s->verdict->kills += result.killed;
    add_counts(&s->verdict->counts, &result.counts);
    if (result.status == ST_OK) {
        check_success(s, &result, announced, start);
        manifest_fini(&result.manifest);
        return false;
    }
    if (!check_failure(s, &o, &result, start))
        return false;
    if (uniform(s) < 0.75) { /* else processes died, and what they wrote is still in the system's memory */
        disk_sim_crash(s->disk);
        sim_lmdb_crash(draw, s);
    }
    if (!check_checkpoints(s, start))
        return false;
    if (shapes[s->shape].invariant)
        draw_cluster(s);
    if (uniform(s) < 0.3)
        s->period = 1 + pick(s, PERIODS - 1);
    return true;
}

sim_verdict_t sim_scenario_run(uint64_t seed, sim_mistake_t mistake)
{
    sim_verdict_t verdict = {.good = true};
    scenario_t s = {.seed = seed, .mistake = mistake, .verdict = &verdict};
    s.shape = pick(&s, SHAPES);
    s.period = 1 + pick(&s, PERIODS - 1);
    s.incarnation = 1;
    s.slice_bytes = 1 + pick(&s, 200);
    s.row_bytes = pick(&s, 4) ? 0 : 1000 + pick(&s, 6000); /* the others are in the spill */
    s.piece_bytes = s.slice_bytes % 2 ? 0 : s.slice_bytes; /* answers in many pieces, as a rule */
    log_set_sink(keep_line, &s);
    draw_cluster(&s);
    s.golden = golden_of(s.shape, s.shards, s.workers);
    s.disk = disk_sim_create(rng_u64(seed, 102, 0), ROOM);
    s.run_dir = mem_printf("%s-run", root);
    if (pick(&s, 2))
        s.malice = malice_create(rng_u64(seed, 103, 0));
    s.rots = pick(&s, 2);
    sim_hash_blind(mistake == SIM_OVERLOOKS_ROT || mistake == SIM_OVERLOOKS_PLACES, mistake == SIM_OVERLOOKS_PAGES);
    snprintf(verdict.summary, sizeof verdict.summary, "%s, every %d steps, %d shards, %d workers", shapes[s.shape].overrides,
             periods[s.period], s.shards, s.workers);
    if (dir_create(s.run_dir) != ST_OK)
        abort();
    for (int start = 0; start < STARTS_MOST; start++)
        if (!start_job(&s, start))
            break;
    log_set_sink(NULL, NULL);
    if (dir_remove_tree(s.run_dir) != ST_OK)
        abort();
    sim_lmdb_crash(draw, &s); /* files are gone, and are forgotten */
    sim_rot_forget();
    mem_free(s.run_dir);
    malice_destroy(&s.malice);
    disk_sim_destroy(&s.disk);
    return verdict;
}
