/* Who teaches a run, and what the teacher predicts for the training split. A teacher is a variant of the experiment, trained
 * before its students, whose run lies beside theirs and holds its predictions; or a finished run of another experiment, that
 * scores the students' training split here, as smelter predict would, or has left what it predicted while it learned. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/data/order.h"
#include "common/files/run_paths.h"
#include "launcher/coordinator/coordinator_impl.h"
#include "launcher/coordinator/coordinator_send.h"
#include "launcher/run/run_reader.h"
#include "launcher/run/teacher_file.h"

#define TEACHER_EXAMPLES (1 << 20) /* predictions in one TEACHER message: 4 MiB */
#define VISITS 4096                /* whose examples are looked up at a time */

/* The variant that teaches this one, or -1; *replica becomes the teacher's. */
static int teacher_of(const coordinator_t *c, const config_t *config, int *replica)
{
    if (config->teacher.replica == TEACHER_REPLICA_FIRST)
        *replica = 0;
    return *config->teacher.variant ? config_variant(c->o.experiment, config->teacher.variant) : -1;
}

bool coordinator_is_teacher(const coordinator_t *c, int variant, int replica, soft_labels_t kind)
{
    const experiment_t *e = c->o.experiment;
    if (kind == SOFT_LABELS_PROGRESSIVE && coordinator_config(c, variant)->train.keep_progressive)
        return true;
    for (int v = 0; v < e->variants; v++) {
        const config_t *config = e->configs[v];
        int taught_by = replica;
        if (teacher_of(c, config, &taught_by) == variant && variant >= 0 && taught_by == replica &&
            (soft_labels_t)config->teacher.predictions == kind)
            return true;
    }
    return false;
}

/* What the finished model predicts. */
static status_t teach_final(coordinator_t *c, cost_t *cost)
{
    const int64_t start = net_now_ns(c->o.net);
    const double cpu_start = clock_cpu_seconds();
    const message_counters_t before = c->evaluated; /* workers count from the start of the run */
    c->evaluated = (message_counters_t){0};
    TRY(coordinator_score(c, SPLIT_TRAIN));
    TRY(teacher_file_write(c->run_dir, SOFT_LABELS_FINAL, c->predictions.p, c->predictions.rows));
    cost->teaching_cpu_seconds = c->evaluated.cpu_seconds - before.cpu_seconds + clock_cpu_seconds() - cpu_start;
    cost->teaching_wall_seconds = (double)(net_now_ns(c->o.net) - start) * 1e-9;
    cost->teaching_rows_pulled = c->evaluated.rows_pulled - before.rows_pulled;
    log_info("teacher: %" PRId64 " training examples scored in %.1f s", c->predictions.rows, cost->teaching_wall_seconds);
    return ST_OK;
}

/* What was predicted while it trained, from the order of visits into that of the examples. What it never visited (a last batch
 * that is dropped, all after train.max_steps, other peers' shares) has no prediction. */
static status_t teach_progressive(coordinator_t *c, const config_t *config)
{
    const int64_t rows = dataset_info(c->dataset)->train_rows;
    const order_t order = order_of(config, rows, c->reporting.number, c->reporting.groups);
    int64_t visited, index[VISITS];
    const float *first = progressive_first(c->progressive, &visited);
    float *p = MEM_ARRAY(float, rows);
    for (int64_t i = 0; i < rows; i++)
        p[i] = NAN;
    for (int64_t at = 0; at < visited; at += VISITS) {
        const int n = visited - at < VISITS ? (int)(visited - at) : VISITS;
        order_indices(&order, at, n, index);
        for (int i = 0; i < n; i++)
            p[index[i]] = first[at + i];
    }
    status_t status = teacher_file_write(c->run_dir, SOFT_LABELS_PROGRESSIVE, p, rows);
    mem_free(p);
    if (status == ST_OK)
        log_info("teacher: %" PRId64 " of %" PRId64
                 " training examples were predicted before they were learned; the others have no soft label",
                 visited, rows);
    return status;
}

status_t coordinator_teach(coordinator_t *c, int variant, int replica, const config_t *config, cost_t *cost)
{
    if (coordinator_is_teacher(c, variant, replica, SOFT_LABELS_PROGRESSIVE))
        TRY(teach_progressive(c, config));
    return coordinator_is_teacher(c, variant, replica, SOFT_LABELS_FINAL) ? teach_final(c, cost) : ST_OK;
}

/* ---- what a student is expected to be --------------------------------------------------------------------------------- */

/* By its teacher's configuration, which says what it predicts; and both must know the same examples by the same numbers. */
static status_t mix_variant(coordinator_t *c, const config_t *config, int replica, manifest_t *student)
{
    manifest_t teacher;
    const int variant = teacher_of(c, config, &replica);
    TRY(coordinator_expected(c, variant, replica, &teacher));
    const uint64_t hashes[] = {teacher.config_hash, teacher.teacher_hash};
    const bool same = teacher.dataset_hash == student->dataset_hash;
    char difference[INPUT_FIELDS_DIFFERENCE_BYTES] = "they have other examples";
    input_fields_difference(&student->inputs, &teacher.inputs, difference);
    manifest_fini(&teacher);
    if (!same)
        return FAIL(
            ST_INPUT,
            "variant %s: its teacher %s was trained on another dataset (%s, not %s: %s); a teacher's predictions are those "
            "of the student's own training examples",
            student->variant, config->teacher.variant, coordinator_config(c, variant)->data.path, config->data.path,
            difference);
    student->teacher_hash = hash64(hashes, sizeof hashes, 0);
    return coordinator_open_dataset(c, config, true);
}

/* A run knows what it predicted at first visits of its own examples alone, and where it was told to keep it. */
static status_t check_progressive(const coordinator_t *c, const run_reader_t *run)
{
    if (run->manifest.dataset_hash != dataset_info(c->dataset)->content_hash)
        return FAIL(ST_INPUT,
                    "teacher.run: %s was not trained on the examples of %s, so it has no progressive predictions of them; use "
                    "teacher.predictions final",
                    run->dir, c->dataset_path);
    if (!teacher_file_exists(run->dir, SOFT_LABELS_PROGRESSIVE))
        return FAIL(ST_INPUT,
                    "teacher.run: %s has no " FILE_PROGRESSIVE "; train it with train.keep_progressive true, or use "
                    "teacher.predictions final",
                    run->dir);
    return ST_OK;
}

/* The finished run that teaches, with its inputs, which must be the dataset's fields. out  **owned**, run_reader_fini. */
static status_t open_run(const coordinator_t *c, const config_t *config, run_reader_t *out)
{
    run_reader_t run = {0};
    input_fields_t data = input_fields_of(dataset_info(c->dataset));
    status_t status;
    TRY_DONE(run_reader_open(config->teacher.run, 0, &run));
    TRY_DONE(run_reader_need_finished(
        &run, "teacher.run: ", "; name the folder of one, for example out/NAME or out/NAME/VARIANT/r0"));
    TRY_DONE(run_reader_want(&run, RUN_INPUTS));
    TRY_DONE(run_reader_inputs(&run));
    TRY_DONE(input_fields_check(&run.inputs, run.dir, &data, c->dataset_path));
    if (config->teacher.predictions == SOFT_LABELS_PROGRESSIVE)
        TRY_DONE(check_progressive(c, &run));
done:
    input_fields_fini(&data);
    if (status == ST_OK)
        *out = run;
    else
        run_reader_fini(&run);
    return status;
}

/* By the parameters that it ended with, since a run that is there already needs not to be reproducible. */
static status_t mix_run(const coordinator_t *c, const config_t *config, manifest_t *student)
{
    run_reader_t run;
    TRY(open_run(c, config, &run));
    const char *digest = run.manifest.result.digest;
    const uint64_t hashes[] = {run.manifest.config_hash, run.manifest.teacher_hash, hash64(digest, strlen(digest), 0)};
    student->teacher_hash = hash64(hashes, sizeof hashes, 0);
    run_reader_fini(&run);
    return ST_OK;
}

status_t coordinator_mix_teacher(coordinator_t *c, const config_t *config, int replica, manifest_t *student)
{
    if (*config->teacher.run)
        return mix_run(c, config, student);
    return teacher_of(c, config, &replica) < 0 ? ST_OK : mix_variant(c, config, replica, student);
}

/* ---- another experiment's run scores the training split --------------------------------------------------------------- */

/* Shards and workers are told of a configuration that is none of the experiment's; what it is scored with they know themselves
 * (config_to_score). */
static status_t send_config(coordinator_t *c, const config_t *config)
{
    char *text;
    TRY(config_text(config, &text));
    const wire_header_t header = coordinator_header(c, WIRE_CONFIG, 0);
    const wire_frame_t frame = {text, (int64_t)strlen(text)};
    TRY(coordinator_wait(c, &c->detector.n_heard, c->o.roster->size - 1));
    status_t status = send_shards(c, &header, &frame, 1);
    if (status == ST_OK)
        status = send_workers(c, &header, &frame);
    mem_free(text);
    return status;
}

static status_t score_run(coordinator_t *c, const config_t *config, const run_reader_t *run, run_number_t number)
{
    config_t *scoring = config_to_score(run->config, config);
    const int64_t start = net_now_ns(c->o.net);
    status_t status;
    coordinator_clear(c);
    c->run_id++;
    c->run_dir = run->dir;
    c->workers = config_active_workers(scoring, c->o.roster->workers);
    c->components = (int)scoring->model.components;
    c->chunk = peer_group_chunk(scoring, c->workers);
    TRY_DONE(coordinator_plan_tables(c, scoring));
    TRY_DONE(send_config(c, scoring));
    TRY_DONE(send_begin(c, number, 0));
    TRY_DONE(send_finished_run(c, run->dir, &run->manifest, (int32_t)c->plan.tables));
    TRY_DONE(send_scaling(c, &run->inputs));
    TRY_DONE(coordinator_score(c, SPLIT_TRAIN));
    log_info("teacher: %" PRId64 " training examples of %s scored by %s in %.1f s", c->predictions.rows, c->dataset_path,
             run->dir, (double)(net_now_ns(c->o.net) - start) * 1e-9);
    c->answers = c->predictions.p;
    c->predictions.p = NULL;
done:
    config_destroy(&scoring);
    return status;
}

/* Scores of a run that other processors have trained; or of data of which less is recorded than could be checked. */
static void warn_of_origin(const coordinator_t *c, const config_t *config, const run_reader_t *run)
{
    processors_t now = processors_of(c->o.roster, 0);
    processors_warn_scores(run->dir, &run->manifest.processors, &now, config);
    processors_fini(&now);
    input_fields_t data = input_fields_of(dataset_info(c->dataset));
    if (run->manifest.dataset_hash != dataset_info(c->dataset)->content_hash)
        input_fields_warn_unrecorded(&run->inputs, run->dir, &data, c->dataset_path);
    input_fields_fini(&data);
}

static status_t ask_run(coordinator_t *c, const config_t *config, run_reader_t *run, run_number_t number)
{
    TRY(run_reader_want(run, RUN_CONFIG | RUN_DENSE));
    TRY(run_reader_config(run));
    TRY(run_reader_check_config(run));
    warn_of_origin(c, config, run);
    return score_run(c, config, run, number);
}

status_t coordinator_ask_teacher(coordinator_t *c, const config_t *config, run_number_t number)
{
    run_reader_t run = {0};
    status_t status;
    if (!*config->teacher.run)
        return ST_OK;
    TRY(coordinator_open_dataset(c, config, true));
    const uint64_t dataset = dataset_info(c->dataset)->content_hash;
    const soft_labels_t kind = (soft_labels_t)config->teacher.predictions;
    if (c->asked && strcmp(c->asked, config->teacher.run) == 0 && c->asked_of == dataset && c->asked_for == kind &&
        c->asked_own == config_uses_own_kernels(config))
        return ST_OK;
    mem_free(c->asked);
    mem_free(c->answers);
    c->asked = NULL;
    c->answers = NULL;
    TRY_DONE(open_run(c, config, &run));
    if (kind == SOFT_LABELS_PROGRESSIVE) {
        TRY_DONE(run_reader_want(&run, RUN_PROGRESSIVE));
        TRY_DONE(run_reader_teacher(&run, kind, dataset_info(c->dataset)->train_rows, &c->answers));
    } else {
        TRY_DONE(ask_run(c, config, &run, number));
    }
    c->asked = mem_strdup(config->teacher.run);
    c->asked_of = dataset;
    c->asked_for = kind;
    c->asked_own = config_uses_own_kernels(config);
done:
    run_reader_fini(&run);
    return status;
}

/* ---- what the teacher predicts goes to the workers -------------------------------------------------------------------- */

/* The folder of the teacher's run, beside the student's: OUT/VARIANT/rREPLICA; **owned**. */
static char *variant_dir(const coordinator_t *c, const config_t *config, int replica)
{
    char *experiment_dir = run_path(c->run_dir, "../.."), *dir = replica_path(experiment_dir, config->teacher.variant, replica);
    mem_free(experiment_dir);
    return dir;
}

/* The predictions of a teacher's finished run, [rows], **owned**. */
static status_t read_teacher(const char *dir, soft_labels_t kind, int64_t rows, float **p)
{
    run_reader_t teacher;
    TRY(run_reader_open(dir, 0, &teacher));
    status_t status;
    TRY_DONE(run_reader_need_finished(&teacher, "teacher: ", "; train it first"));
    TRY_DONE(run_reader_want(&teacher, kind == SOFT_LABELS_PROGRESSIVE ? RUN_PROGRESSIVE : RUN_TEACHER));
    TRY_DONE(run_reader_teacher(&teacher, kind, rows, p));
done:
    run_reader_fini(&teacher);
    return status;
}

/* A student goes on with the predictions that it began with: those of a teacher that was trained again since may be others.
 * where  names the predictions in the error */
static status_t check_teacher(coordinator_t *c, const char *where, const float *p, int64_t rows)
{
    const uint64_t checksum = hash64(p, (size_t)rows * sizeof *p, 0);
    c->teacher_checksum = checksum ? checksum : 1;
    if (!c->teacher_before || c->teacher_checksum == c->teacher_before)
        return ST_OK;
    return FAIL(ST_CORRUPT,
                "%s: its checksum is %016" PRIx64 ", the student's checkpoint says %016" PRIx64
                ": the teacher was trained again "
                "since the student began; put back the predictions that it began with, or train the student anew",
                where, c->teacher_checksum, c->teacher_before);
}

static status_t send_predictions(coordinator_t *c, const float *p, int64_t rows)
{
    for (int64_t first = 0; first < rows; first += TEACHER_EXAMPLES) {
        const int64_t n = rows - first < TEACHER_EXAMPLES ? rows - first : TEACHER_EXAMPLES;
        wire_header_t header = coordinator_header(c, WIRE_TEACHER, n);
        header.step = first;
        const wire_frame_t frame = {p + first, n * (int64_t)sizeof *p};
        TRY(send_workers(c, &header, &frame));
    }
    return ST_OK;
}

status_t coordinator_send_teacher(coordinator_t *c, const config_t *config, int replica)
{
    const int64_t rows = dataset_info(c->dataset)->train_rows;
    const bool is_run = *config->teacher.run;
    const soft_labels_t kind = (soft_labels_t)config->teacher.predictions;
    float *read = NULL;
    if (!is_run && teacher_of(c, config, &replica) < 0)
        return ST_OK;
    char *dir = is_run ? NULL : variant_dir(c, config, replica);
    char *where = is_run ? mem_printf("the predictions of %s", config->teacher.run) : run_path(dir, teacher_file_name(kind));
    status_t status;
    TRY_DONE(is_run ? ST_OK : read_teacher(dir, kind, rows, &read));
    const float *p = is_run ? c->answers : read;
    TRY_DONE(check_teacher(c, where, p, rows));
    TRY_DONE(send_predictions(c, p, rows));
done:
    mem_free(read);
    mem_free(where);
    mem_free(dir);
    return status;
}
