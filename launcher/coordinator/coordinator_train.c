/* A run from BEGIN to its manifest: from initial parameters, from those of a finished run, or from a checkpoint. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/identity.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/config/validation.h"
#include "common/data/dataset_times.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "common/metrics/metrics.h"
#include "common/process/instructions.h"
#include "launcher/checkpoint/checkpoint_catalog.h"
#include "launcher/checkpoint/checkpoint_resume.h"
#include "launcher/coordinator/coordinator_impl.h"
#include "launcher/coordinator/coordinator_send.h"
#include "launcher/coordinator/schedule_check.h"
#include "launcher/run/input_fields.h"
#include "worker/checkpoint_schedule.h"
#include "worker/objective.h"

/* Of components beyond this run's, too. */
typedef struct sweep {
    const char *folder;
    uint32_t incarnation; /* this start's */
    status_t status;
} sweep_t;

static void remove_dense(void *context, const char *name)
{
    sweep_t *sweep = context;
    if (sweep->status != ST_OK || strncmp(name, FILE_DENSE, strlen(FILE_DENSE)) != 0)
        return;
    char *path = mem_printf("%s/%s", sweep->folder, name);
    sweep->status = dir_remove_tree(path);
    mem_free(path);
}

static void remove_other_incarnation(void *context, const char *name)
{
    sweep_t *sweep = context;
    uint32_t incarnation;
    if (sweep->status != ST_OK || !checkpoint_incarnation_of(name, &incarnation) || incarnation == sweep->incarnation)
        return;
    char *path = mem_printf("%s/%s", sweep->folder, name);
    sweep->status = dir_remove_tree(path);
    mem_free(path);
}

/* Shards have their folders of this start already. */
static status_t remove_checkpoints(const char *run_dir, uint32_t incarnation)
{
    char *folder = checkpoint_path(run_dir);
    sweep_t sweep = {folder, incarnation, ST_OK};
    status_t status = disk_list(disk_posix(), folder, remove_other_incarnation, &sweep);
    mem_free(folder);
    return status == ST_OK ? sweep.status : status;
}

static status_t remove_named(const char *run_dir, const char *name)
{
    char *path = run_path(run_dir, name);
    const status_t status = dir_remove_tree(path);
    mem_free(path);
    return status;
}

/* The manifest of an earlier run of the same configuration goes first: without it, nothing in the folder counts as finished.
 * All else that a run writes when it ends goes too, because this one may have fewer shards, fewer components or no student; and
 * the checkpoints, unless one is what the run goes on from. */
static status_t remove_earlier(const char *run_dir, uint32_t incarnation, bool resumed)
{
    static const char *const names[] = {FILE_MANIFEST,    DIR_STORE,    FILE_PREDICTIONS, FILE_TEACHER,
                                        FILE_PROGRESSIVE, FILE_CLIPPED, FILE_SCHEMA};
    sweep_t sweep = {run_dir, incarnation, ST_OK};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        TRY(remove_named(run_dir, names[i]));
    TRY(disk_list(disk_posix(), run_dir, remove_dense, &sweep));
    TRY(sweep.status);
    return resumed ? ST_OK : remove_checkpoints(run_dir, incarnation);
}

static status_t write_config(const config_t *config, const char *run_dir)
{
    char *text;
    TRY(config_text(config, &text));
    char *path = run_path(run_dir, FILE_CONFIG);
    status_t status = file_write_atomic(path, text, strlen(text));
    mem_free(path);
    mem_free(text);
    return status;
}

/* After the last step: shards write their tables while workers score the split that the run is to be scored on. */
static status_t finish_run(coordinator_t *c, const coordinator_run_t *run, manifest_t *manifest)
{
    const roster_t *roster = c->o.roster;
    bool scored = false;
    TRY(coordinator_settle(c, run, manifest, &scored));
    wire_header_t flush = coordinator_header(c, WIRE_FLUSH, 0);
    roll_call_begin(&c->flushed, roster_shards(roster));
    TRY(send_shards(c, &flush, NULL, 0));
    if (!scored || manifest->scored != SPLIT_EVAL)
        TRY(coordinator_score(c, manifest->scored));
    return coordinator_wait(c, &c->flushed.answered, roster_shards(roster));
}

/* weight: of the split that is scored, NULL: none. */
static void fill_result(coordinator_t *c, split_t scored, const float *weight, replica_result_t *r, double wall_seconds,
                        double own_cpu_seconds)
{
    predictions_t *p = &c->predictions;
    run_totals_t t = {.peak_rss_bytes = c->shards.peak_rss_bytes + clock_peak_rss_bytes(),
                      .cpu_seconds = c->shards.cpu_seconds + own_cpu_seconds,
                      .wall_seconds = wall_seconds};
    run_totals_add_worker(&t, &c->trained);
    run_totals_add_start(&t, &c->earlier);
    const double examples = (double)t.examples;
    run_result_evaluate(&r->quality, p->p, p->label, weight, dataset_info(c->dataset)->has_group ? p->group : NULL, p->rows);
    if (r->quality.normalised_entropy > 1)
        log_warn("the %s logloss of %.5f is %.3f times that of the %s split's base rate without any model; look at the "
                 "learning rates, at train.epochs and at the sizes of numeric fields",
                 dataset_split_name(scored), r->quality.logloss, r->quality.normalised_entropy, dataset_split_name(scored));
    r->quality.progressive_logloss = progressive_logloss(c->progressive);
    r->quality.training_logloss = progressive_training_logloss(c->progressive);
    r->quality.clipped_share = c->clipped_most;
    r->layers = c->layers;
    c->layers = (activated_layers_t){0};
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
    predictions_fini(p); /* the report reads labels and queries from the dataset */
    mem_free(c->is_scored);
    c->is_scored = NULL;
}

/* What the run is worth, and what it cost. */
static status_t measure(coordinator_t *c, manifest_t *manifest, int64_t start_ns, double cpu_start)
{
    float *weight;
    TRY(coordinator_read_weights(c, manifest->scored, &weight));
    fill_result(c, manifest->scored, weight, &manifest->result, (double)(net_now_ns(c->o.net) - start_ns) * 1e-9,
                clock_cpu_seconds() - cpu_start);
    mem_free(weight);
    return ST_OK;
}

/* What the manifest says about its starts: how often, how many checkpoints, the steps and the stores of the last. */
static void fill_starts(const coordinator_t *c, const checkpoint_resume_t *resume, manifest_t *manifest)
{
    manifest->step_seconds_median = c->trained.step_seconds_median;
    manifest->step_seconds_longest = c->trained.step_seconds_longest;
    manifest->incarnation = c->incarnation;
    manifest->stores = MEM_ARRAY(hash_digest_t, manifest_shards(manifest));
    memcpy(manifest->stores, c->stores, (size_t)manifest_shards(manifest) * sizeof *manifest->stores);
    manifest->resumed = resume ? resume->from.resumed + 1 : 0;
    manifest->checkpoints = c->earlier.checkpoints + checkpointer_committed(c->checkpointer);
}

/* How training examples are cut into windows of time. */
static status_t run_window(const coordinator_t *c, const config_t *config, dataset_window_t *out)
{
    return dataset_times_window(c->dataset, c->dataset_path, "evaluate.window",
                                validation_window_seconds(config->evaluate.window), out);
}

static status_t check_training_rows(const coordinator_t *c, const config_t *config)
{
    const int64_t rows = dataset_info(c->dataset)->train_rows, groups = config_groups(config);
    if (rows >= groups)
        return run_window(c, config, &(dataset_window_t){0, 0});
    if (rows > 0)
        return FAIL(ST_INPUT,
                    "dataset %s has %" PRId64 " training examples, too few for the shares of %" PRId64
                    " peers (objective.form groups)",
                    c->dataset_path, rows, groups);
    return FAIL(ST_INPUT, "dataset %s has no training examples; give its training split a larger share", c->dataset_path);
}

/* An objective that compares components over the examples of a lane needs some; and what is said of learning rates once for all
 * replicas. */
static void warn_of(const config_t *config, const manifest_t *run)
{
    if (run->result.replica == 0)
        schedule_warn(config, run->variant, run->steps);
    const int64_t rows = config->train.batch / config->train.lanes;
    const int least = objective_least_rows(config);
    if (rows < least)
        log_warn("a lane has %" PRId64
                 " example%s (train.batch / train.lanes), and the objective's statistic over fewer than %d says "
                 "nothing about the components; use fewer lanes or a larger batch",
                 rows, rows == 1 ? "" : "s", least);
}

/* Steps by which the tables that a pull sees lag behind. */
static int64_t pipeline_depth(const config_t *config)
{
    return config->determinism >= DETERMINISM_SYNC ? config->train.pipeline_depth : 0;
}

/* The newest checkpoint of the run's folder, checked; *resumed is false where there is none. */
static status_t find_checkpoint(coordinator_t *c, const manifest_t *wanted, checkpoint_resume_t *out, bool *resumed)
{
    TRY(checkpoint_resume_find(c->disk, c->run_dir, out, resumed));
    if (!*resumed)
        return ST_OK;
    TRY(checkpoint_resume_check(out, wanted));
    c->earlier = out->from.totals;
    c->teacher_before = out->from.teacher_checksum;
    log_info("%s goes on before step %" PRId64 ", from %s", c->run_dir, out->from.step, out->folder);
    return ST_OK;
}

static double base_rate(const dataset_t *dataset)
{
    if (dataset_info(dataset)->has_weight) /* which losses are by, and positives are not counted by */
        return NAN;
    const census_t *census = dataset_census(dataset);
    const int64_t rows = dataset_info(dataset)->train_rows;
    return census->is_recorded && rows ? (double)dataset_train_positives(dataset) / (double)rows : NAN;
}

/* The files of the run's metrics are opened, as they were at the checkpoint. */
static status_t emit_train(coordinator_t *c, const config_t *config, const checkpoint_resume_t *resume)
{
    uint64_t lines;
    const bool lines_known = progressive_lines(c->progressive, &lines);
    event_train_t train = {
        .run_dir = c->run_dir,
        .resumed = resume != NULL,
        .step = resume ? resume->from.step : 0,
        .depth = pipeline_depth(config),
        .base_rate = base_rate(c->dataset),
        .where = resume ? resume->folder : "",
        .lines = &lines,
        .lines_known = lines_known,
    };
    if (resume) {
        train.steps = resume->from.steps_lines;
        train.probes = resume->from.probe_lines;
        train.validations = resume->from.validation_lines;
    }
    TRY(run_events_emit(c->events, &(run_event_t){EVENT_TRAIN, net_now_ns(c->o.net), .train = train}));
    if (resume && !lines_known)
        progressive_set_lines(c->progressive, lines);
    return ST_OK;
}

/* What shards and workers say of steps and of the probe set, from this step on. */
static void open_mergers(coordinator_t *c, const config_t *config, int64_t first, int64_t eval_rows)
{
    const int64_t depth = pipeline_depth(config), round = peer_group_round(config), steps = lanes_steps(&c->lanes);
    const int64_t every = (config->evaluate.probe_every + round - 1) / round * round, most = config->evaluate.probe_examples;
    const step_digest_options_t digests = {.events = c->events,
                                           .shards = roster_shards(c->o.roster),
                                           .tables = c->plan.tables,
                                           .groups = (int)config_groups(config),
                                           .components = c->components,
                                           .first_rows = first > depth ? first - depth : 0,
                                           .first_dense = first,
                                           .end = steps};
    const probe_options_t probes = {.events = c->events,
                                    .workers = c->workers,
                                    .examples = eval_rows < most ? eval_rows : most,
                                    .every = every,
                                    .first = first,
                                    .end = steps};
    if (config->train.step_digests && config->determinism >= DETERMINISM_SYNC)
        c->steps = step_digest_merger_create(&digests);
    if (every && eval_rows)
        c->probes = probe_merger_create(&probes);
}

/* The metrics of the run, from the beginning or from the checkpoint on; digests of steps where results do not depend on
 * time. */
static status_t open_metrics(coordinator_t *c, const coordinator_run_t *run, const config_t *config,
                             const checkpoint_resume_t *resume)
{
    const lanes_t *lanes = &c->lanes;
    char *saved = NULL;
    dataset_window_t window;
    TRY(run_window(c, config, &window));
    const progressive_options_t o = {
        .events = c->events,
        .net = c->o.net,
        .workers = c->reporting.workers,
        .lanes = *lanes,
        .interval = lanes_interval(lanes, config->train.report_steps),
        .first_visits = dataset_info(c->dataset)->train_rows / config_groups(config),
        .has_weight = dataset_info(c->dataset)->has_weight,
        .window = window.length,
        .ticks = window.ticks,
        .keeps = coordinator_is_teacher(c, run->variant, run->replica, SOFT_LABELS_PROGRESSIVE),
    };
    status_t status = resume ? checkpoint_resume_progress(c->disk, resume, &saved) : ST_OK;
    if (status == ST_OK && resume)
        status = progressive_resume(&o, saved, resume->from.progress.bytes, resume->folder, &c->progressive);
    mem_free(saved);
    TRY(status);
    if (!resume)
        c->progressive = progressive_create(&o);
    open_mergers(c, config, resume ? resume->from.step : 0, dataset_info(c->dataset)->eval_rows);
    TRY(emit_train(c, config, resume));
    return coordinator_open_validation(c, config, resume ? resume->from.step : 0);
}

/* What all checkpoints of this start are: the run that is wanted, by this cluster. Texts are borrowed. */
static status_t open_checkpointer(coordinator_t *c, const config_t *config, const manifest_t *run,
                                  const checkpoint_resume_t *resume, int64_t start_ns)
{
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
        .run_id = run->run_id,
        .teacher_checksum = c->teacher_checksum,
        .replica = run->result.replica,
        .incarnation = c->incarnation,
        .steps = run->steps,
        .depth = pipeline_depth(config),
        .resumed = resume ? resume->from.resumed + 1 : 0,
        .workers = c->workers,
        .servers = run->servers,
        .shards_per_server = run->shards_per_server,
        .tables = c->plan.tables,
        .components = c->components,
        .places = run->places,
        .processors = run->processors,
        .config = text,
        .inputs = run->inputs,
    };
    const int64_t first_step = resume ? resume->from.step : 0;
    const int64_t validated = config->evaluate.patience ? validation_period(config, dataset_info(c->dataset)->train_rows) : 0;
    const checkpoint_schedule_t schedule =
        checkpoint_schedule_of(first_step, run->steps, validated ? validated : config->checkpoint.every_steps,
                               peer_group_round(config), pipeline_depth(config));
    const checkpointer_options_t o = {
        .net = c->o.net,
        .disk = c->disk,
        .run_dir = c->run_dir,
        .run = &all,
        .progressive = c->progressive,
        .events = c->events,
        .run_id = c->run_id,
        .first_worker = roster_first_worker(c->o.roster),
        .workers = c->workers,
        .reporting = c->reporting,
        .groups = (int)config_groups(config),
        .dense_floats = c->dense_floats,
        .first_step = first_step,
        .period = schedule.period,
        .whole = validated > 0,
        .boundary = peer_group_round(config),
        .every_seconds = config->checkpoint.every_seconds,
        .keep = config->checkpoint.keep,
        .earlier = c->earlier,
        .start_ns = start_ns,
    };
    status_t status = checkpointer_create(&o, &c->checkpointer);
    if (status == ST_OK && validated && c->validations)
        checkpointer_pin(c->checkpointer, validation_merger_state(c->validations)->best_step);
    mem_free(text);
    return status;
}

/* What computes the run: this start's ranks, after those of the starts before. */
static void set_processors(coordinator_t *c, const checkpoint_resume_t *resume, manifest_t *manifest)
{
    processors_t now = processors_of(c->o.roster, c->incarnation);
    processors_fini(&manifest->processors);
    if (resume)
        manifest->processors = processors_copy(&resume->from.processors);
    processors_add(&manifest->processors, &now);
    processors_fini(&now);
}

/* Numeric fields are scaled as in the checkpoint that the run goes on from, or as in the finished run that it starts from; else
 * by the dataset's own numbers, which `inputs` comes with. */
static status_t settle_scaling(const checkpoint_resume_t *resume, const warm_start_t *plan, input_fields_t *inputs)
{
    input_fields_t before = {0};
    bool found = false;
    if (resume)
        TRY(checkpoint_resume_inputs(resume, &before, &found));
    else if (plan->dir)
        before = input_fields_copy(&plan->inputs);
    input_fields_scale_as(inputs, &before);
    input_fields_fini(&before);
    return ST_OK;
}

/* Workers scale by the dataset's own numbers unless they are told others. */
static status_t tell_other_scaling(coordinator_t *c, const input_fields_t *inputs)
{
    input_fields_t own = input_fields_of(dataset_info(c->dataset));
    const bool same = input_fields_is_scaled_as(&own, inputs);
    input_fields_fini(&own);
    return same ? ST_OK : send_scaling(c, inputs);
}

/* Everybody begins the run; parameters are initial ones, or those of a finished run, or those of a checkpoint. */
static status_t begin_run(coordinator_t *c, const coordinator_run_t *run, const config_t *config, const manifest_t *manifest,
                          const checkpoint_resume_t *resume, const warm_start_t *plan)
{
    TRY(send_begin(c, (run_number_t){RUN_TRAINS, run->variant, run->replica}, resume ? resume->from.step : 0));
    TRY(tell_other_scaling(c, &manifest->inputs));
    if (resume) {
        const status_t status = send_checkpoint(c, resume);
        if (status != ST_OK)
            checkpoint_resume_hint(c->disk, c->run_dir);
        TRY(status);
    } else {
        TRY(send_warm_start(c, plan));
    }
    return coordinator_send_teacher(c, config, run->replica);
}

/* How rows to be scored are read, wherever the dataset is by then. */
static status_t write_schema(coordinator_t *c)
{
    char *text;
    TRY(dataset_schema(c->dataset, &text));
    if (!text)
        return ST_OK;
    char *path = run_path(c->run_dir, FILE_SCHEMA);
    const status_t status = file_write_atomic(path, text, strlen(text));
    mem_free(path);
    mem_free(text);
    return status;
}

/* All ranks have begun, and training comes next: what is there of an earlier run, which --again is to remove, is not needed any
 * more. A start that fails before has taken nothing away. */
static status_t replace_earlier(coordinator_t *c, const config_t *config, const manifest_t *manifest,
                                const checkpoint_resume_t *resume)
{
    TRY(remove_earlier(c->run_dir, c->incarnation, resume != NULL));
    TRY(write_config(config, c->run_dir));
    TRY(write_schema(c));
    return input_fields_write(c->run_dir, &manifest->inputs);
}

static void report_run(const coordinator_t *c, const config_t *config, const manifest_t *manifest)
{
    if (config->determinism <= DETERMINISM_BOUNDED)
        log_info("staleness of pulls: mean %.2f steps, most %" PRId64,
                 (double)c->shards.staleness_sum / (double)(c->shards.staleness_count + !c->shards.staleness_count),
                 c->shards.staleness_max);
    if (manifest->resumed)
        log_info("the run was resumed %" PRId64
                 " time%s; its cost is that of all starts, up to the checkpoints they ended with",
                 manifest->resumed, manifest->resumed == 1 ? "" : "s");
}

/* The digest of the run that this one goes on from; nothing where that is gone by now. */
static void note_continued(const char *folder, const warm_start_t *plan, continued_t *continued)
{
    manifest_t earlier = {0};
    bool found = false;
    if (!continued->from)
        return;
    if (plan->dir) {
        memcpy(continued->digest, plan->run.result.digest, sizeof continued->digest);
        return;
    }
    const log_level_t level = log_level();
    log_set_level(LOG_NONE);
    const status_t status = manifest_read(folder, &earlier, &found);
    log_set_level(level);
    if (status == ST_OK && found)
        memcpy(continued->digest, earlier.result.digest, sizeof continued->digest);
    manifest_fini(&earlier);
}

/* Of a run that begins now. */
static provenance_t begin_provenance(const coordinator_t *c)
{
    char date[CLOCK_UTC_BYTES];
    return (provenance_t){
        .begun = mem_strdup(clock_utc(date)),
        .hosts = roster_hosts(c->o.roster),
        .cpu = mem_strdup(provenance_cpu()),
        .version = mem_strdup(SMELTER_VERSION),
        .commit = mem_strdup(provenance_commit()),
        .march = mem_strdup(instructions_march()),
    };
}

static void end_provenance(provenance_t *provenance)
{
    char date[CLOCK_UTC_BYTES];
    provenance->ended = mem_strdup(clock_utc(date));
}

static status_t emit_begin(coordinator_t *c, const coordinator_run_t *run, const lanes_t *lanes, int64_t first_step)
{
    progress_run_t live = *run->line;
    live.steps = lanes_steps(lanes);
    live.first_step = first_step;
    return run_events_emit(c->events, &(run_event_t){EVENT_BEGIN, net_now_ns(c->o.net), .begin = {&live}});
}

/* The manifest comes last: where it is, the run is whole. */
static status_t end_run(coordinator_t *c, const config_t *config, const checkpoint_resume_t *from, manifest_t *manifest)
{
    fill_starts(c, from, manifest);
    end_provenance(&manifest->provenance);
    TRY(manifest_write(c->run_dir, manifest));
    mem_free(manifest->result.predictions); /* who wants them reads the file: there may be many runs */
    manifest->result.predictions = NULL;
    report_run(c, config, manifest);
    return ST_OK;
}

status_t coordinator_train(coordinator_t *c, const coordinator_run_t *run, manifest_t *out)
{
    manifest_t manifest = {0};
    config_t *config = NULL;
    checkpoint_resume_t checkpoint = {0};
    warm_start_t plan = {0};
    bool resumed = false;
    status_t status;
    TRY(config_for_replica(coordinator_config(c, run->variant), run->replica, &config));
    TRY_DONE(coordinator_ask_teacher(c, config, (run_number_t){RUN_TEACHES, run->variant, run->replica}));
    const int64_t start = net_now_ns(c->o.net);
    const double cpu_start = clock_cpu_seconds();
    coordinator_clear(c);
    c->run_id++;
    c->run_dir = run->dir;
    c->workers = config_active_workers(config, c->o.roster->workers);
    TRY_DONE(coordinator_expected(c, run->variant, run->replica, &manifest));
    TRY_DONE(coordinator_plan_tables(c, config));
    coordinator_expect(c, config, dataset_info(c->dataset)->train_rows, dataset_info(c->dataset)->numeric);
    manifest.provenance = begin_provenance(c);
    TRY_DONE(check_training_rows(c, config));
    warn_of(config, &manifest);
    if (run->resume)
        TRY_DONE(find_checkpoint(c, &manifest, &checkpoint, &resumed));
    const checkpoint_resume_t *from = resumed ? &checkpoint : NULL;
    c->identity = manifest.run_id = resumed && checkpoint.from.run_id ? checkpoint.from.run_id : identity_draw();
    if (!resumed && *config->warm_start)
        TRY_DONE(warm_start_plan(config, dataset_info(c->dataset), &plan));
    note_continued(config->warm_start, &plan, &manifest.continued);
    TRY_DONE(settle_scaling(from, &plan, &manifest.inputs));
    TRY_DONE(checkpoint_resume_incarnation(c->disk, run->dir, &c->incarnation));
    set_processors(c, from, &manifest);
    manifest.places = places_of(c->o.roster, c->run_dir);
    const int64_t first_step = resumed ? checkpoint.from.step : 0;
    TRY_DONE(emit_begin(c, run, &c->lanes, first_step));
    TRY_DONE(begin_run(c, run, config, &manifest, from, &plan));
    warm_start_fini(&plan);
    TRY_DONE(replace_earlier(c, config, &manifest, from));
    TRY_DONE(open_metrics(c, run, config, from));
    TRY_DONE(open_checkpointer(c, config, &manifest, from, start));
    manifest.begin_seconds = (double)(net_now_ns(c->o.net) - start) * 1e-9;
    TRY_DONE(send_train(c, first_step));
    TRY_DONE(coordinator_wait_trained(c));
    TRY_DONE(finish_run(c, run, &manifest));
    TRY_DONE(run_events_emit(c->events, &(run_event_t){EVENT_END, net_now_ns(c->o.net), .nothing = {0}}));
    TRY_DONE(measure(c, &manifest, start, cpu_start));
    TRY_DONE(coordinator_teach(c, run->variant, run->replica, config, &manifest.result.cost));
    TRY_DONE(end_run(c, config, from, &manifest));
done:
    c->config = NULL;
    checkpointer_destroy(&c->checkpointer);
    checkpoint_resume_fini(&checkpoint);
    warm_start_fini(&plan);
    config_destroy(&config);
    if (status == ST_OK)
        *out = manifest;
    else
        manifest_fini(&manifest);
    return status;
}
