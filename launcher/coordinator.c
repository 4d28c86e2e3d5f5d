#include "launcher/coordinator.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/jsondoc.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/config/group.h"
#include "common/kernels/gemm.h"
#include "common/metrics/metrics.h"
#include "common/net/member.h"
#include "launcher/attendance.h"
#include "launcher/checkpoint_resume.h"
#include "launcher/checkpointer.h"
#include "launcher/inputs.h"
#include "launcher/progressive.h"
#include "launcher/step_lines.h"
#include "launcher/teacher_file.h"
#include "launcher/totals.h"
#include "launcher/warm_start.h"

#define COMPONENTS_MOST 64 /* the bound of model.components */
#define TEACHER_EXAMPLES (1 << 20) /* predictions in one TEACHER message: 4 MiB */

struct coordinator {
    coordinator_options_t o;
    attendance_t attendance;
    uint64_t run_id;
    uint32_t epoch; /* which start of the run this is; 0 where nothing is trained */
    disk_t *disk;

    /* The dataset of the runs so far. */
    char *dataset_path;
    dataset_t *dataset;

    /* The run in progress. */
    int workers; /* that take part */
    const char *run_dir;
    group_t reporting; /* its workers send what progressive takes */
    jsondoc_t *clipped[COMPONENTS_MOST]; /* the share of clipped values of each layer */
    int components, n_clipped;
    double clipped_most;
    progressive_t *progressive;
    step_lines_t *steps; /* NULL where steps are not digested */
    checkpointer_t *checkpointer; /* while it trains */
    bool told_to_stop;            /* the checkpointer was */
    bool saved_to_stop;           /* and it has */
    totals_t earlier;             /* of its starts before this one */
    hash_digest_t digest;
    message_counters_t shards, trained, evaluated, loaded; /* sums over ranks; seconds: the longest */
    int64_t peak_rss_bytes;
    int ready, n_trained, n_evaluated, n_flushed, n_loaded;
    predictions_t predictions; /* of the split being scored */
    int64_t scored;
};

void predictions_fini(predictions_t *predictions)
{
    mem_free(predictions->p);
    mem_free(predictions->label);
    mem_free(predictions->group);
    *predictions = (predictions_t){0};
}

status_t coordinator_create(const coordinator_options_t *options, coordinator_t **out)
{
    coordinator_t *c = MEM_NEW(coordinator_t);
    c->o = *options;
    attendance_init(&c->attendance, options->net, options->roster, options->progress, options->starter_reports,
                    options->experiment->base->cluster.deadline_s);
    c->run_id = rng_u64((uint64_t)getpid(), (uint64_t)clock_now_ns(), 0);
    c->disk = options->disk ? options->disk : disk_posix();
    *out = c;
    return ST_OK;
}

static void drop_clipped(coordinator_t *c)
{
    for (int k = 0; k < COMPONENTS_MOST; k++)
        jsondoc_destroy(&c->clipped[k]);
    c->n_clipped = 0;
}

void coordinator_destroy(coordinator_t **coordinator)
{
    coordinator_t *c = *coordinator;
    if (!c)
        return;
    checkpointer_destroy(&c->checkpointer);
    progressive_destroy(&c->progressive);
    step_lines_destroy(&c->steps);
    drop_clipped(c);
    dataset_close(&c->dataset);
    mem_free(c->dataset_path);
    attendance_fini(&c->attendance);
    predictions_fini(&c->predictions);
    mem_free(c);
    *coordinator = NULL;
}

static wire_header_t header_of(const coordinator_t *c, wire_type_t type, int64_t count)
{
    return wire_header(type, c->run_id, c->epoch, WIRE_SENDER_COORDINATOR, 0, count);
}

/* ---- messages -------------------------------------------------------------------------------------------------------- */

static void add_counters(message_counters_t *sum, const message_counters_t *one)
{
    sum->seconds = one->seconds > sum->seconds ? one->seconds : sum->seconds;
    if (one->step_seconds_median > sum->step_seconds_median)
        sum->step_seconds_median = one->step_seconds_median;
    if (one->step_seconds_longest > sum->step_seconds_longest)
        sum->step_seconds_longest = one->step_seconds_longest;
    sum->cpu_seconds += one->cpu_seconds;
    sum->peak_rss_bytes += one->peak_rss_bytes;
    sum->examples += one->examples;
    sum->rows_pulled += one->rows_pulled;
    sum->rows_pushed += one->rows_pushed;
    sum->bytes_sent += one->bytes_sent;
    sum->bytes_received += one->bytes_received;
    sum->rows += one->rows;
    sum->parameters += one->parameters;
    sum->staleness_sum += one->staleness_sum;
    sum->staleness_count += one->staleness_count;
    sum->duplicates += one->duplicates;
    sum->bad_messages += one->bad_messages;
    if (one->flops_per_example)
        sum->flops_per_example = one->flops_per_example;
    if (one->staleness_max > sum->staleness_max)
        sum->staleness_max = one->staleness_max;
}

static status_t take_counters(coordinator_t *c, const net_message_t *message)
{
    message_counters_t body;
    if (!message_body(message, &body, sizeof body))
        return FAIL(ST_MESSAGE, "%s without its counters", wire_type_name(message->header.type));
    if (message->header.type == WIRE_TRAINED) {
        int64_t dense = c->trained.parameters;
        add_counters(&c->trained, &body);
        c->trained.parameters = dense > body.parameters ? dense : body.parameters; /* replicated, not summed */
        c->n_trained++;
        if (c->checkpointer)
            TRY(checkpointer_trained(c->checkpointer, roster_index(c->o.roster, message->peer)));
    } else if (message->header.type == WIRE_EVALUATED) {
        add_counters(&c->evaluated, &body);
        c->n_evaluated++;
    } else {
        const bool flushed = message->header.type == WIRE_FLUSHED;
        add_counters(flushed ? &c->shards : &c->loaded, &body);
        hash_digest_merge(&c->digest, &(hash_digest_t){body.digest_low, body.digest_high, body.digest_elements});
        *(flushed ? &c->n_flushed : &c->n_loaded) += 1;
    }
    return ST_OK;
}

static status_t take_predictions(coordinator_t *c, const net_message_t *message)
{
    const int64_t first = message->header.step, n = message->header.count;
    predictions_t *p = &c->predictions;
    if (first < 0 || n < 0 || first > p->rows || n > p->rows - first || message->frame[0].bytes != n * 4 ||
        message->frame[1].bytes != n || message->frame[2].bytes != n * 8)
        return FAIL(ST_MESSAGE, "predictions of examples %lld to %lld do not fit the split of %lld", (long long)first,
                    (long long)(first + n), (long long)p->rows);
    memcpy(p->p + first, message->frame[0].data, (size_t)n * sizeof *p->p);
    memcpy(p->label + first, message->frame[1].data, (size_t)n);
    memcpy(p->group + first, message->frame[2].data, (size_t)n * sizeof *p->group);
    c->scored += n;
    return ST_OK;
}

static status_t take_dense(coordinator_t *c, const net_message_t *message)
{
    uint32_t component = message->header.table;
    char path[MESSAGE_DIR_BYTES + 64];
    snprintf(path, sizeof path, "%s/dense-%u.f32", c->run_dir, component);
    hash_digest_add(&c->digest, &component, sizeof component, message->frame[0].data, (size_t)message->frame[0].bytes);
    return file_write_atomic(path, message->frame[0].data, (size_t)message->frame[0].bytes);
}

/* Takes over the message. All groups have made as many steps of as many examples as the one that reports. */
static status_t take_progress(coordinator_t *c, int worker, net_message_t *message)
{
    const int at = worker - c->reporting.first_worker;
    if (at < 0 || at >= c->reporting.workers) {
        net_release(c->o.net, message);
        return FAIL(ST_MESSAGE, "worker %d sent progressive predictions, which are those of %d workers from %d on", worker,
                    c->reporting.workers, c->reporting.first_worker);
    }
    status_t status = progressive_put(c->progressive, at, message, net_now_ns(c->o.net));
    progress_update(c->o.progress, progressive_steps(c->progressive),
                    progressive_examples(c->progressive) * c->reporting.groups - c->earlier.examples, progressive_logloss(c->progressive),
                    net_now_ns(c->o.net));
    return status;
}

/* Shares of clipped values: the most into the run's numbers, all of them, once they are here, into clipped.json. */
static status_t take_clipped(coordinator_t *c, const net_message_t *message)
{
    const float *share = message->frame[0].data;
    const int64_t layers = message->frame[0].bytes / (int64_t)sizeof *share;
    const uint32_t component = message->header.table;
    if (c->n_clipped == c->components || component >= (uint32_t)c->components || c->clipped[component])
        return FAIL(ST_MESSAGE, "shares of clipped values of component %u came twice, or to a run of %d components", component,
                    c->components);
    jsondoc_t *of_component = c->clipped[component] = jsondoc_array();
    for (int64_t l = 0; l < layers; l++) {
        jsondoc_append_number(of_component, (double)share[l]);
        c->clipped_most = fmax(c->clipped_most, (double)share[l]);
    }
    if (++c->n_clipped < c->components)
        return ST_OK;
    jsondoc_t *all = jsondoc_array();
    for (int k = 0; k < c->components; k++)
        jsondoc_append(all, &c->clipped[k]);
    char path[MESSAGE_DIR_BYTES + 64];
    snprintf(path, sizeof path, "%s/clipped.json", c->run_dir);
    status_t status = jsondoc_write(all, path);
    jsondoc_destroy(&all);
    return status;
}

static status_t take_error(coordinator_t *c, const net_message_t *message)
{
    message_error_t body;
    char text[ATTENDANCE_NAME_BYTES] = "";
    if (!message_body(message, &body, sizeof body))
        return FAIL(ST_MESSAGE, "an ERROR message is malformed");
    if (!PEER_IS_SHARD(message->peer))
        attendance_name(&c->attendance, message->peer, text);
    progress_clear(c->o.progress);
    return FAIL(ST_PEER, "%s cannot go on (%s): %.400s; the job ends", text[0] ? text : "a shard", status_name((status_t)body.status), body.text);
}

static status_t dispatch(coordinator_t *c, net_message_t *message)
{
    const int type = message->header.type, peer = message->peer;
    status_t status = ST_OK;
    if (PEER_IS_SHARD(peer) ? type != WIRE_READY && type != WIRE_LOADED && type != WIRE_FLUSHED && type != WIRE_DIGESTS &&
                                  type != WIRE_PREPARED && type != WIRE_FOLDED && type != WIRE_ERROR
                            : peer < 1 || peer >= c->o.roster->size) {
        net_release(c->o.net, message);
        return ST_OK;
    }
    if (!PEER_IS_SHARD(peer)) {
        attendance_put(&c->attendance, peer);
    }
    const bool worker = !PEER_IS_SHARD(peer) && roster_role(c->o.roster, peer) == ROLE_WORKER;
    const bool current = message->header.run_id == c->run_id && message->header.epoch == c->epoch;
    switch (type) {
    case WIRE_HEARTBEAT:
        if (message->header.count && !PEER_IS_SHARD(peer))
            attendance_told(&c->attendance, peer);
        break;
    case WIRE_BYE:
        attendance_bye(&c->attendance, peer, (status_t)message->header.count);
        break;
    case WIRE_ERROR:
        status = take_error(c, message);
        break;
    case WIRE_READY:
        c->ready++;
        if (worker && c->dataset && message->header.sequence != dataset_info(c->dataset)->content_hash) {
            char text[ATTENDANCE_NAME_BYTES];
            status = FAIL(ST_INPUT, "dataset %s of %s differs from the coordinator's; copy the same dataset to every host", c->dataset_path,
                          attendance_name(&c->attendance, peer, text));
        }
        break;
    case WIRE_PROGRESS:
        if (worker && current && c->progressive)
            return take_progress(c, roster_index(c->o.roster, peer), message);
        break;
    case WIRE_SAVE:
    case WIRE_CUT:
    case WIRE_CUT_DENSE:
        if (worker && current && c->checkpointer)
            status = checkpointer_put_worker(c->checkpointer, roster_index(c->o.roster, peer), message);
        break;
    case WIRE_PREPARED:
    case WIRE_FOLDED:
        if (PEER_IS_SHARD(peer) && current && c->checkpointer)
            status = checkpointer_put_shard(c->checkpointer, PEER_SHARD_OF(peer), message);
        break;
    case WIRE_DENSE:
        if (worker && current)
            status = take_dense(c, message);
        break;
    case WIRE_CLIPPED:
        if (worker && current)
            status = take_clipped(c, message);
        break;
    case WIRE_DIGESTS:
        if (current && c->steps)
            status = PEER_IS_SHARD(peer) ? step_lines_put_rows(c->steps, PEER_SHARD_OF(peer), message)
                                         : step_lines_put_dense(c->steps, message);
        break;
    case WIRE_PREDICTIONS:
        if (worker && current)
            status = take_predictions(c, message);
        break;
    case WIRE_TRAINED:
    case WIRE_EVALUATED:
    case WIRE_LOADED:
    case WIRE_FLUSHED:
        if (current)
            status = take_counters(c, message);
        break;
    default:
        break;
    }
    net_release(c->o.net, message);
    return status;
}

/* What signals ask for: to save and go on, to save and stop, to end now. Where nothing is trained nothing can be saved. */
static status_t follow_signals(coordinator_t *c)
{
    if (member_interrupted())
        return attendance_interrupted(&c->attendance);
    if (member_save_asked() && c->checkpointer)
        checkpointer_request(c->checkpointer, false);
    if (!attendance_is_stopping(&c->attendance) || c->told_to_stop)
        return ST_OK;
    if (!c->checkpointer)
        return attendance_interrupted(&c->attendance);
    TRY(attendance_check_gone(&c->attendance));
    c->told_to_stop = true;
    checkpointer_request(c->checkpointer, true);
    return ST_OK;
}

/* Handle a message, or wait a moment for one. */
static status_t handle_one(coordinator_t *c)
{
    net_message_t message;
    TRY(follow_signals(c));
    status_t status = net_receive(c->o.net, &message, 100);
    const int64_t start = net_now_ns(c->o.net);
    if (status == ST_OK)
        status = dispatch(c, &message);
    if (status != ST_OK && status != ST_TIMEOUT)
        return status;
    if (c->checkpointer)
        TRY(checkpointer_tick(c->checkpointer));
    attendance_away(&c->attendance, net_now_ns(c->o.net) - start);
    return attendance_check(&c->attendance);
}

/* Handle messages until *count reaches `wanted`. */
static status_t wait_for(coordinator_t *c, const int *count, int wanted)
{
    while (*count < wanted)
        TRY(handle_one(c));
    return ST_OK;
}

/* Handle messages until all workers have trained and what they saved meanwhile is committed; ST_STOPPED where they saved to stop. */
static status_t wait_trained(coordinator_t *c)
{
    while (c->n_trained < c->workers || !checkpointer_is_idle(c->checkpointer)) {
        TRY(handle_one(c));
        if (checkpointer_is_stopped(c->checkpointer)) {
            progress_clear(c->o.progress);
            log_info("saved before step %lld and stopped, as a signal asked; --resume goes on from there",
                     (long long)checkpointer_last_step(c->checkpointer));
            c->saved_to_stop = true;
            return ST_STOPPED;
        }
    }
    return ST_OK;
}

/* ---- a run ----------------------------------------------------------------------------------------------------------- */

static status_t open_dataset(coordinator_t *c, const config_t *config)
{
    if (c->dataset && strcmp(config->data.path, c->dataset_path) == 0)
        return ST_OK;
    dataset_close(&c->dataset);
    mem_free(c->dataset_path);
    c->dataset_path = mem_strdup(config->data.path);
    return dataset_open(config->data.path, 1 << 20, &c->dataset);
}

static const config_t *variant_config(const coordinator_t *c, int variant)
{
    return variant < 0 ? c->o.experiment->base : c->o.experiment->configs[variant];
}

/* The variant that teaches this one, or -1; *replica becomes the teacher's. */
static int teacher_of(const coordinator_t *c, const config_t *config, int *replica)
{
    if (config->teacher.replica == TEACHER_REPLICA_FIRST)
        *replica = 0;
    return *config->teacher.variant ? config_variant(c->o.experiment, config->teacher.variant) : -1;
}

/* Is it somebody's teacher, so that its predictions of the training split are wanted? */
static bool is_teacher(const coordinator_t *c, int variant, int replica)
{
    const experiment_t *e = c->o.experiment;
    for (int v = 0; v < e->variants; v++) {
        int taught_by = replica;
        if (teacher_of(c, e->configs[v], &taught_by) == variant && variant >= 0 && taught_by == replica)
            return true;
    }
    return false;
}

/* What a student ends with depends on its teacher's configuration too, and both must know the same examples by the same numbers. */
static status_t mix_teacher(coordinator_t *c, const config_t *config, int replica, manifest_t *student)
{
    manifest_t teacher;
    const int variant = teacher_of(c, config, &replica);
    if (variant < 0)
        return ST_OK;
    TRY(coordinator_wanted(c, variant, replica, &teacher));
    const uint64_t hashes[] = {teacher.config_hash, teacher.teacher_hash};
    const bool same = teacher.dataset_hash == student->dataset_hash;
    manifest_fini(&teacher);
    if (!same)
        return FAIL(ST_INPUT, "variant %s: its teacher %s was trained on another dataset (%s, not %s); a teacher's predictions are those "
                              "of the student's own training examples",
                    student->variant, config->teacher.variant, variant_config(c, variant)->data.path, config->data.path);
    student->teacher_hash = hash64(hashes, sizeof hashes, 0);
    return open_dataset(c, config);
}

status_t coordinator_wanted(coordinator_t *c, int variant, int replica, manifest_t *out)
{
    config_t *config;
    TRY(config_for_replica(variant_config(c, variant), replica, &config));
    status_t status = open_dataset(c, config);
    if (status == ST_OK) {
        const roster_t *roster = c->o.roster;
        char build[32];
        snprintf(build, sizeof build, "%016llx", (unsigned long long)roster->entries[0].build);
        lanes_t lanes = lanes_of(config, dataset_info(c->dataset)->train_rows);
        *out = (manifest_t){
            .experiment = mem_strdup(c->o.experiment->base->name),
            .variant = mem_strdup(variant < 0 ? c->o.experiment->base->name : c->o.experiment->names[variant]),
            .determinism = mem_strdup(config_determinism_word((determinism_t)config->determinism)),
            .build = mem_strdup(build),
            .kernels = mem_strdup(gemm_kernel_name()),
            .config_hash = config_hash(config),
            .dataset_hash = dataset_info(c->dataset)->content_hash,
            .workers = config_active_workers(config, roster->workers),
            .servers = roster->servers,
            .shards_per_server = roster->shards_per_server,
            .steps = lanes_steps(&lanes),
            .predictions = dataset_info(c->dataset)->eval_rows,
            .result = {.replica = replica, .init_seed = config->seed, .order_seed = config->data.order_seed},
        };
        status = mix_teacher(c, config, replica, out);
        if (status == ST_OK) {
            out->config = config;
            config = NULL;
        } else {
            manifest_fini(out);
        }
    }
    config_destroy(&config);
    return status;
}

status_t coordinator_dataset(coordinator_t *c, dataset_t **out)
{
    TRY(open_dataset(c, c->o.experiment->base));
    *out = c->dataset;
    return ST_OK;
}

/* The manifest of an earlier run of the same configuration goes first: without it, nothing in the folder counts as finished. The
 * tables go too, because fewer shards than before would leave some; and the checkpoints, unless one is what the run goes on from. */
static status_t remove_earlier(const char *run_dir, bool resumed)
{
    static const char *const names[] = {"manifest.json", "store", "checkpoint"};
    char path[MESSAGE_DIR_BYTES + 64];
    for (size_t i = 0; i < sizeof names / sizeof *names - resumed; i++) {
        snprintf(path, sizeof path, "%s/%s", run_dir, names[i]);
        TRY(dir_remove_tree(path));
    }
    return ST_OK;
}

static status_t write_config(const config_t *config, const char *run_dir)
{
    char *text, path[MESSAGE_DIR_BYTES + 64];
    TRY(config_text(config, &text));
    snprintf(path, sizeof path, "%s/config.yaml", run_dir);
    status_t status = file_write_atomic(path, text, strlen(text));
    mem_free(text);
    return status;
}

static status_t tell_workers(coordinator_t *c, const wire_header_t *header, const wire_frame_t *frame)
{
    for (int w = 0; w < c->workers; w++)
        TRY(net_send(c->o.net, roster_first_worker(c->o.roster) + w, header, frame, frame != NULL));
    return ST_OK;
}

static status_t tell_shards(coordinator_t *c, const wire_header_t *header, const wire_frame_t *frames, int n)
{
    for (int s = 0; s < roster_shards(c->o.roster); s++)
        TRY(net_send(c->o.net, PEER_SHARD(s), header, frames, n));
    return ST_OK;
}

/* BEGIN to all; shards first, so that no worker pulls from one that has no tables. */
static status_t send_begin(coordinator_t *c, int variant, int replica, int64_t first_step, bool saves)
{
    const dataset_info_t *info = dataset_info(c->dataset);
    message_begin_t begin = {
        .variant = variant, .replica = replica, .fields = info->single + info->multi, .saves = saves, .first_step = first_step};
    if (snprintf(begin.run_dir, sizeof begin.run_dir, "%s", c->run_dir) >= (int)sizeof begin.run_dir)
        return FAIL(ST_INPUT, "the run folder's path is longer than %zu bytes: %s; choose a shorter --out", sizeof begin.run_dir - 1, c->run_dir);
    wire_header_t header = header_of(c, WIRE_BEGIN, 0);
    wire_frame_t frame = {&begin, sizeof begin};
    const roster_t *roster = c->o.roster;
    TRY(wait_for(c, &c->attendance.n_heard, roster->size - 1));
    c->ready = 0;
    TRY(tell_shards(c, &header, &frame, 1));
    TRY(wait_for(c, &c->ready, roster_shards(roster)));
    return tell_workers(c, &header, &frame);
}

/* Rows of a finished run into the shards' empty tables: map[t] takes the rows of the run's table t. */
static status_t load_shards(coordinator_t *c, const char *run_dir, int folders, const int32_t *map, int32_t tables)
{
    const roster_t *roster = c->o.roster;
    message_load_t load = {.folders = folders, .shards = roster_shards(roster), .tables = tables};
    if (snprintf(load.run_dir, sizeof load.run_dir, "%s", run_dir) >= (int)sizeof load.run_dir)
        return FAIL(ST_INPUT, "the run folder's path is longer than %zu bytes: %s", sizeof load.run_dir - 1, run_dir);
    wire_header_t header = header_of(c, WIRE_LOAD, tables);
    const wire_frame_t frames[] = {{&load, sizeof load}, {map, tables * (int64_t)sizeof *map}};
    c->n_loaded = 0;
    TRY(tell_shards(c, &header, frames, 2));
    return wait_for(c, &c->n_loaded, roster_shards(roster));
}

/* Rows of a checkpoint, and the pushes they have not seen, into the shards' empty tables. */
static status_t restore_shards(coordinator_t *c, const checkpoint_resume_t *resume)
{
    const checkpoint_manifest_t *from = &resume->from;
    message_restore_t restore = {
        .step = from->step,
        .depth = from->depth,
        .epoch = (int32_t)from->epoch,
        .folders = (int32_t)checkpoint_manifest_shards(from),
        .shards = roster_shards(c->o.roster),
        .tables = (int32_t)from->tables,
    };
    if (snprintf(restore.run_dir, sizeof restore.run_dir, "%s", resume->run_dir) >= (int)sizeof restore.run_dir)
        return FAIL(ST_INPUT, "the run folder's path is longer than %zu bytes: %s", sizeof restore.run_dir - 1, resume->run_dir);
    wire_header_t header = header_of(c, WIRE_RESTORE, from->n_deltas);
    header.step = from->step;
    const wire_frame_t frames[] = {{&restore, sizeof restore}, {from->deltas, from->n_deltas * (int64_t)sizeof *from->deltas}};
    c->n_loaded = 0;
    TRY(tell_shards(c, &header, frames, 2));
    TRY(wait_for(c, &c->n_loaded, restore.shards));
    c->digest = (hash_digest_t){0}; /* that of the rows restored; the run's is made from what it ends with */
    return ST_OK;
}

/* Floats from number `first` on, of all values and then all optimizer state of a component, to every worker. */
static status_t send_dense(coordinator_t *c, int component, int64_t first, const float *floats, int64_t n)
{
    wire_header_t header = header_of(c, WIRE_DENSE, n);
    header.table = (uint32_t)component;
    header.step = first;
    const wire_frame_t frame = {floats, n * (int64_t)sizeof *floats};
    return tell_workers(c, &header, &frame);
}

/* The predictions of the teacher's finished run, which lies beside the student's, to every worker. */
static status_t send_teacher(coordinator_t *c, const config_t *config, int replica)
{
    if (teacher_of(c, config, &replica) < 0)
        return ST_OK;
    const int64_t rows = dataset_info(c->dataset)->train_rows;
    char *dir = mem_printf("%s/../../%s/r%d", c->run_dir, config->teacher.variant, replica);
    float *p = NULL;
    status_t status = teacher_file_read(dir, rows, &p);
    mem_free(dir);
    for (int64_t first = 0; first < rows && status == ST_OK; first += TEACHER_EXAMPLES) {
        const int64_t n = rows - first < TEACHER_EXAMPLES ? rows - first : TEACHER_EXAMPLES;
        wire_header_t header = header_of(c, WIRE_TEACHER, n);
        header.step = first;
        const wire_frame_t frame = {p + first, n * (int64_t)sizeof *p};
        status = tell_workers(c, &header, &frame);
    }
    mem_free(p);
    return status;
}

/* Parameters of a finished run, where the configuration asks for them, in the place of initial ones. */
static status_t send_warm_start(coordinator_t *c, const config_t *config)
{
    warm_start_t plan;
    if (!*config->warm_start)
        return ST_OK;
    TRY(warm_start_plan(config, dataset_info(c->dataset), &plan));
    status_t status = plan.tables_taken ? load_shards(c, plan.dir, plan.folders, plan.map, plan.tables) : ST_OK;
    c->digest = (hash_digest_t){0}; /* that of the rows taken; this run's is made from what it ends with */
    for (int i = 0; i < plan.n_pieces && status == ST_OK; i++)
        status = send_dense(c, plan.pieces[i].component, plan.pieces[i].first, plan.pieces[i].floats, plan.pieces[i].n);
    if (status == ST_OK)
        log_info("warm start: %lld rows were taken", (long long)c->loaded.rows);
    warm_start_fini(&plan);
    return status;
}

/* Dense parameters of a checkpoint to every worker. */
static status_t restore_workers(coordinator_t *c, const checkpoint_resume_t *resume)
{
    status_t status = ST_OK;
    for (int k = 0; k < c->components && status == ST_OK; k++) {
        float *floats = NULL;
        int64_t n;
        status = checkpoint_resume_dense(c->disk, resume, k, &floats, &n);
        if (status == ST_OK)
            status = send_dense(c, k, 0, floats, n);
        mem_free(floats);
    }
    return status;
}

static status_t restore_run(coordinator_t *c, const checkpoint_resume_t *checkpoint)
{
    TRY(restore_shards(c, checkpoint));
    return restore_workers(c, checkpoint);
}

static status_t send_train(coordinator_t *c, int64_t first_step)
{
    wire_header_t header = header_of(c, WIRE_TRAIN, 0);
    header.step = first_step;
    return tell_workers(c, &header, NULL);
}

/* The workers score a split with the parameters of the run in progress. */
static status_t score(coordinator_t *c, split_t split)
{
    wire_header_t header = header_of(c, WIRE_EVALUATE, split);
    const int64_t rows = dataset_split_rows(dataset_info(c->dataset), split);
    predictions_fini(&c->predictions);
    c->predictions = (predictions_t){rows, MEM_ARRAY(float, rows), MEM_ARRAY(uint8_t, rows), MEM_ARRAY(uint64_t, rows)};
    c->scored = 0;
    c->n_evaluated = 0;
    TRY(tell_workers(c, &header, NULL));
    TRY(wait_for(c, &c->n_evaluated, c->workers));
    if (c->scored != rows)
        return FAIL(ST_MESSAGE, "%lld of %lld examples of the split were scored", (long long)c->scored, (long long)rows);
    return ST_OK;
}

/* After the last step: shards write their tables while workers score the evaluation split. */
static status_t finish_run(coordinator_t *c)
{
    const roster_t *roster = c->o.roster;
    wire_header_t flush = header_of(c, WIRE_FLUSH, 0);
    TRY(tell_shards(c, &flush, NULL, 0));
    TRY(score(c, SPLIT_EVAL));
    return wait_for(c, &c->n_flushed, roster_shards(roster));
}

/* A teacher's last duty, while its tables are live: the predictions that its students learn from. */
static status_t teach(coordinator_t *c, cost_t *cost)
{
    const int64_t start = net_now_ns(c->o.net);
    const double cpu_start = clock_cpu_seconds();
    const message_counters_t before = c->evaluated; /* workers count from the start of the run */
    c->evaluated = (message_counters_t){0};
    TRY(score(c, SPLIT_TRAIN));
    TRY(teacher_file_write(c->run_dir, c->predictions.p, c->predictions.rows));
    cost->teaching_cpu_seconds = c->evaluated.cpu_seconds - before.cpu_seconds + clock_cpu_seconds() - cpu_start;
    cost->teaching_wall_seconds = (double)(net_now_ns(c->o.net) - start) * 1e-9;
    cost->teaching_rows_pulled = c->evaluated.rows_pulled - before.rows_pulled;
    log_info("teacher: %lld training examples scored in %.1f s", (long long)c->predictions.rows, cost->teaching_wall_seconds);
    return ST_OK;
}

static void fill_result(coordinator_t *c, replica_result_t *r, double wall_seconds, double own_cpu_seconds)
{
    predictions_t *p = &c->predictions;
    totals_t t = {.peak_rss_bytes = c->shards.peak_rss_bytes + clock_peak_rss_bytes(),
                  .cpu_seconds = c->shards.cpu_seconds + own_cpu_seconds,
                  .wall_seconds = wall_seconds};
    totals_add_worker(&t, &c->trained);
    totals_add_start(&t, &c->earlier);
    const double examples = (double)t.examples;
    r->quality.logloss = metrics_logloss(p->p, p->label, p->rows);
    r->quality.auc_loss = metrics_auc_loss(p->p, p->label, p->rows);
    r->quality.pqauc_loss = r->quality.pqauc_query_mean = NAN; /* undefined, not 0, without a query column */
    if (dataset_info(c->dataset)->has_group)
        r->quality.pqauc_loss = metrics_pqauc_loss(p->p, p->label, p->group, p->rows, &r->quality.pqauc_query_mean);
    r->quality.calibration = metrics_calibration(p->p, p->label, p->rows);
    r->quality.progressive_logloss = progressive_logloss(c->progressive);
    r->quality.clipped_share = c->clipped_most;
    r->cost.examples = t.examples;
    r->cost.examples_per_second = examples / t.train_seconds;
    r->cost.rows_pulled_per_example = (double)t.rows_pulled / examples;
    r->cost.rows_pushed_per_example = (double)t.rows_pushed / examples;
    r->cost.bytes_per_example = (double)(t.bytes_sent + t.bytes_received) / examples;
    r->cost.parameters = c->trained.parameters + c->shards.parameters;
    r->cost.flops_per_example = c->trained.flops_per_example;
    r->cost.cpu_seconds = t.cpu_seconds;
    r->cost.peak_rss_bytes = t.peak_rss_bytes;
    r->cost.wall_seconds = t.wall_seconds;
    hash_digest_text(&c->digest, r->digest);
    r->predictions = p->p;
    p->p = NULL;
}

static void clear_run(coordinator_t *c)
{
    drop_clipped(c);
    c->clipped_most = 0;
    checkpointer_destroy(&c->checkpointer);
    c->told_to_stop = false;
    c->earlier = (totals_t){0};
    c->epoch = 0;
    progressive_destroy(&c->progressive);
    step_lines_destroy(&c->steps);
    predictions_fini(&c->predictions);
    c->digest = (hash_digest_t){0};
    c->shards = c->trained = c->evaluated = c->loaded = (message_counters_t){0};
    c->n_trained = c->n_evaluated = c->n_flushed = c->n_loaded = 0;
}

static status_t check_training_rows(const coordinator_t *c, const config_t *config)
{
    const int64_t rows = dataset_info(c->dataset)->train_rows, groups = config_groups(config);
    if (rows >= groups)
        return ST_OK;
    if (rows > 0)
        return FAIL(ST_INPUT,
                    "dataset %s has %lld training examples, too few for the shares of %lld peers (objective.form groups)",
                    c->dataset_path, (long long)rows, (long long)groups);
    return FAIL(ST_INPUT, "dataset %s has no training examples; give its training split a larger share", c->dataset_path);
}

/* Steps by which the tables that a pull sees lag behind. */
static int64_t pipeline_depth(const config_t *config)
{
    return config->determinism >= DETERMINISM_SYNC ? config->train.pipeline_depth : 0;
}

/* Lines about single steps, where results do not depend on time, behind those of the progressive metrics. */
static status_t open_steps(coordinator_t *c, const config_t *config, const char *path)
{
    const dataset_info_t *info = dataset_info(c->dataset);
    if (!config->train.step_digests || config->determinism < DETERMINISM_SYNC)
        return ST_OK;
    return step_lines_create(path, roster_shards(c->o.roster), (uint32_t)(config_tables(config) * (info->single + info->multi)), &c->steps);
}

/* The newest checkpoint of the run's folder, checked; *resumed is false where there is none. */
static status_t find_checkpoint(coordinator_t *c, const manifest_t *wanted, checkpoint_resume_t *out, bool *resumed)
{
    TRY(checkpoint_resume_find(c->disk, c->run_dir, out, resumed));
    if (!*resumed)
        return ST_OK;
    TRY(checkpoint_resume_check(out, wanted));
    c->earlier = out->from.totals;
    log_info("%s goes on before step %lld, from %s", c->run_dir, (long long)out->from.step, out->folder);
    return ST_OK;
}

/* The metrics of the run, from the beginning or from the checkpoint on. */
static status_t open_metrics(coordinator_t *c, const config_t *config, const checkpoint_resume_t *resume, const lanes_t *lanes)
{
    char path[MESSAGE_DIR_BYTES + 64], *saved = NULL;
    snprintf(path, sizeof path, "%s/metrics.jsonl", c->run_dir);
    const progressive_options_t o = {
        .path = path,
        .net = c->o.net,
        .workers = c->reporting.workers,
        .lanes = *lanes,
        .interval = lanes_interval(lanes, config->train.report_steps),
        .depth = pipeline_depth(config),
    };
    status_t status = resume ? checkpoint_resume_progress(c->disk, resume, &saved) : progressive_create(&o, &c->progressive);
    if (status == ST_OK && resume)
        status = progressive_resume(&o, saved, resume->from.progress.bytes, resume->folder, &c->progressive);
    mem_free(saved);
    return status == ST_OK ? open_steps(c, config, path) : status;
}

/* What all checkpoints of this start are: the run that is wanted, by this cluster. Texts are borrowed. */
static status_t open_checkpointer(coordinator_t *c, const config_t *config, const manifest_t *run, const checkpoint_resume_t *resume, int64_t start_ns)
{
    const dataset_info_t *info = dataset_info(c->dataset);
    char *text;
    TRY(config_text(config, &text));
    const checkpoint_manifest_t all = {
        .experiment = run->experiment,
        .variant = run->variant,
        .determinism = run->determinism,
        .build = run->build,
        .kernels = run->kernels,
        .config_hash = run->config_hash,
        .dataset_hash = run->dataset_hash,
        .teacher_hash = run->teacher_hash,
        .replica = run->result.replica,
        .epoch = c->epoch,
        .steps = run->steps,
        .depth = pipeline_depth(config),
        .resumed = resume ? resume->from.resumed + 1 : 0,
        .workers = c->workers,
        .servers = run->servers,
        .shards_per_server = run->shards_per_server,
        .tables = config_tables(config) * (info->single + info->multi),
        .components = c->components,
        .config = text,
    };
    const checkpointer_options_t o = {
        .net = c->o.net,
        .disk = c->disk,
        .run_dir = c->run_dir,
        .run = &all,
        .progressive = c->progressive,
        .run_id = c->run_id,
        .first_worker = roster_first_worker(c->o.roster),
        .workers = c->workers,
        .reporting = c->reporting,
        .first_step = resume ? resume->from.step : 0,
        .boundary = config_groups(config) > 1 ? config->objective.exchange_steps : 1,
        .every_seconds = config->checkpoint.every_seconds,
        .keep = config->checkpoint.keep,
        .earlier = c->earlier,
        .start_ns = start_ns,
    };
    status_t status = checkpointer_create(&o, &c->checkpointer);
    mem_free(text);
    return status;
}

/* Everybody begins the run; parameters are initial ones, or those of a finished run, or those of a checkpoint. */
static status_t begin_run(coordinator_t *c, int variant, int replica, const config_t *config, const checkpoint_resume_t *resume)
{
    TRY(send_begin(c, variant, replica, resume ? resume->from.step : 0, true));
    if (resume) {
        TRY(restore_run(c, resume));
    } else {
        TRY(send_warm_start(c, config));
    }
    return send_teacher(c, config, replica);
}

static void report_run(const coordinator_t *c, const config_t *config, const manifest_t *manifest)
{
    if (config->determinism <= DETERMINISM_BOUNDED)
        log_info("staleness of pulls: mean %.2f steps, most %lld",
                 (double)c->shards.staleness_sum / (double)(c->shards.staleness_count + !c->shards.staleness_count),
                 (long long)c->shards.staleness_max);
    if (manifest->resumed)
        log_info("the run was resumed %lld time%s; its cost is that of all starts, up to the checkpoints they ended with",
                 (long long)manifest->resumed, manifest->resumed == 1 ? "" : "s");
}

status_t coordinator_train(coordinator_t *c, const coordinator_run_t *run, manifest_t *out)
{
    manifest_t manifest = {0};
    config_t *config = NULL;
    checkpoint_resume_t checkpoint = {0};
    bool resumed = false;
    const int64_t start = net_now_ns(c->o.net);
    const double cpu_start = clock_cpu_seconds();
    status_t status;
    clear_run(c);
    c->run_id++;
    c->run_dir = run->dir;
    TRY_DONE(config_for_replica(variant_config(c, run->variant), run->replica, &config));
    c->workers = config_active_workers(config, c->o.roster->workers);
    c->reporting = group_reporting(config, c->workers);
    c->components = (int)config->model.components;
    TRY_DONE(coordinator_wanted(c, run->variant, run->replica, &manifest));
    TRY_DONE(check_training_rows(c, config));
    if (run->resume)
        TRY_DONE(find_checkpoint(c, &manifest, &checkpoint, &resumed));
    const checkpoint_resume_t *from = resumed ? &checkpoint : NULL;
    TRY_DONE(remove_earlier(run->dir, resumed));
    TRY_DONE(checkpoint_resume_epoch(c->disk, run->dir, &c->epoch));
    TRY_DONE(write_config(config, run->dir));
    TRY_DONE(inputs_write(run->dir, dataset_info(c->dataset)));
    const lanes_t lanes = lanes_of(config, dataset_info(c->dataset)->train_rows);
    TRY_DONE(open_metrics(c, config, from, &lanes));
    progress_run_t live = *run->line;
    live.steps = lanes_steps(&lanes);
    live.first_step = resumed ? checkpoint.from.step : 0;
    progress_start(c->o.progress, &live, net_now_ns(c->o.net));
    TRY_DONE(begin_run(c, run->variant, run->replica, config, from));
    TRY_DONE(open_checkpointer(c, config, &manifest, from, start));
    manifest.begin_seconds = (double)(net_now_ns(c->o.net) - start) * 1e-9;
    TRY_DONE(send_train(c, live.first_step));
    TRY_DONE(wait_trained(c));
    TRY_DONE(finish_run(c));
    progress_finish(c->o.progress, net_now_ns(c->o.net));
    fill_result(c, &manifest.result, (double)(net_now_ns(c->o.net) - start) * 1e-9, clock_cpu_seconds() - cpu_start);
    if (is_teacher(c, run->variant, run->replica))
        TRY_DONE(teach(c, &manifest.result.cost));
    manifest.step_seconds_median = c->trained.step_seconds_median;
    manifest.step_seconds_longest = c->trained.step_seconds_longest;
    manifest.epoch = c->epoch;
    manifest.resumed = resumed ? checkpoint.from.resumed + 1 : 0;
    manifest.checkpoints = c->earlier.checkpoints + checkpointer_committed(c->checkpointer);
    TRY_DONE(manifest_write(run->dir, &manifest));
    report_run(c, config, &manifest);
done:
    checkpointer_destroy(&c->checkpointer);
    checkpoint_resume_fini(&checkpoint);
    config_destroy(&config);
    if (status == ST_OK)
        *out = manifest;
    else
        manifest_fini(&manifest);
    return status;
}

/* The dense files of a finished run, as they are, to every worker. */
static status_t load_dense(coordinator_t *c, const char *run_dir, int components)
{
    for (int k = 0; k < components; k++) {
        char *path = mem_printf("%s/dense-%d.f32", run_dir, k), *data = NULL;
        size_t bytes = 0;
        const uint32_t component = (uint32_t)k;
        status_t status = file_read(path, &data, &bytes);
        mem_free(path);
        if (status == ST_OK) {
            hash_digest_add(&c->digest, &component, sizeof component, data, bytes);
            status = send_dense(c, k, 0, (const float *)(const void *)data, (int64_t)(bytes / sizeof(float)));
        }
        mem_free(data);
        TRY(status);
    }
    return ST_OK;
}

/* The run's mean and scale of every numeric field. */
static status_t send_scaling(coordinator_t *c, const inputs_t *inputs)
{
    double *mean_scale = MEM_ARRAY(double, 2 * inputs->numeric);
    for (int32_t f = 0; f < inputs->numeric; f++) {
        mean_scale[2 * f] = inputs->fields[f].mean;
        mean_scale[2 * f + 1] = inputs->fields[f].scale;
    }
    wire_header_t header = header_of(c, WIRE_SCALING, 0);
    const wire_frame_t frame = {mean_scale, 2 * inputs->numeric * (int64_t)sizeof *mean_scale};
    status_t status = tell_workers(c, &header, &frame);
    mem_free(mean_scale);
    return status;
}

/* Are the parameters that were loaded those that the run ended with? */
static status_t check_digest(const coordinator_t *c, const char *run_dir, const manifest_t *run)
{
    char text[33];
    hash_digest_text(&c->digest, text);
    if (strcmp(text, run->result.digest) == 0)
        return ST_OK;
    return FAIL(ST_CORRUPT, "%s: the files give digest %s, the manifest holds %s; the files changed after training", run_dir, text,
                run->result.digest);
}

/* Parameters of a finished run into shards and workers, checked by its digest. */
static status_t load_run(coordinator_t *c, const char *run_dir, const manifest_t *run, int32_t tables)
{
    int32_t *map = MEM_ARRAY(int32_t, tables);
    for (int32_t t = 0; t < tables; t++)
        map[t] = t;
    status_t status = load_shards(c, run_dir, (int)(run->servers * run->shards_per_server), map, tables);
    if (status == ST_OK)
        status = load_dense(c, run_dir, c->components);
    mem_free(map);
    return status == ST_OK ? check_digest(c, run_dir, run) : status;
}

status_t coordinator_predict(coordinator_t *c, const coordinator_source_t *source, split_t split, predictions_t *out)
{
    const config_t *config = c->o.experiment->base;
    const checkpoint_resume_t *checkpoint = source->checkpoint;
    inputs_t inputs = {0};
    c->workers = config_active_workers(config, c->o.roster->workers);
    status_t status;
    clear_run(c);
    c->run_id++;
    c->run_dir = source->run_dir;
    c->components = (int)config->model.components;
    TRY_DONE(open_dataset(c, config));
    TRY_DONE(inputs_read(c->run_dir, &inputs));
    TRY_DONE(inputs_check(&inputs, c->run_dir, dataset_info(c->dataset), config->data.path));
    TRY_DONE(send_begin(c, -1, 0, checkpoint ? checkpoint->from.step : 0, false));
    TRY_DONE(checkpoint ? restore_run(c, checkpoint)
                        : load_run(c, c->run_dir, source->run, (int32_t)config_tables(config) * (inputs.single + inputs.multi)));
    TRY_DONE(send_scaling(c, &inputs));
    TRY_DONE(score(c, split));
    *out = c->predictions;
    c->predictions = (predictions_t){0};
done:
    inputs_fini(&inputs);
    return status;
}

bool coordinator_stop(coordinator_t *c, status_t status)
{
    const roster_t *roster = c->o.roster;
    const bool failed = status != ST_OK && !c->saved_to_stop;
    wire_header_t header = header_of(c, WIRE_STOP, failed);
    for (int s = 0; s < roster_shards(roster); s++)
        if (net_send(c->o.net, PEER_SHARD(s), &header, NULL, 0) != ST_OK)
            log_debug("shard %d could not be told to stop", s);
    attendance_stop(&c->attendance, &header, failed);
    return !failed;
}
