#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/config/config_compare.h"
#include "common/config/table_plan.h"
#include "common/data/dataset.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "common/metrics/spread.h"
#include "common/texts/shown_key.h"
#include "launcher/commands/commands.h"
#include "launcher/run/row_diff.h"
#include "launcher/run/run_reader.h"

#define CACHE (64ll << 20)
#define PROBES_AFTER 3 /* shown of those after the runs part, beside the last one */

typedef struct diffed_run {
    run_reader_t run;
    step_digest_reader_t steps;
    probe_reader_t probes;
} diffed_run_t;

static status_t read_run(const char *dir, diffed_run_t *out)
{
    char *path = run_path(dir, FILE_CONFIG);
    const bool is_there = file_exists(path);
    mem_free(path);
    if (!is_there)
        return FAIL(ST_INPUT,
                    "%s is no folder of a run (there is no " FILE_CONFIG "); of a comparison, give DIR/VARIANT/rREPLICA", dir);
    TRY(run_reader_open(dir, RUN_CONFIG | RUN_INPUTS | RUN_METRICS | RUN_STEPS, &out->run));
    TRY(run_reader_config(&out->run));
    TRY(run_reader_inputs(&out->run));
    TRY(run_reader_tables(&out->run));
    TRY(run_reader_probes(&out->run, &out->probes));
    return run_reader_steps(&out->run, &out->steps);
}

static void fini_run(diffed_run_t *run)
{
    run_reader_fini(&run->run);
    step_digest_reader_fini(&run->steps);
    probe_reader_fini(&run->probes);
}

static void print_run(const char *name, const run_reader_t *run)
{
    printf("%s  %s: determinism %s, ", name, run->dir, config_determinism_word((determinism_t)run->config->determinism));
    if (run->is_finished)
        printf("%" PRId64 " workers, %" PRId64 " servers, digest %s\n", run->manifest.workers, run->manifest.servers,
               run->manifest.result.digest);
    else
        printf("not finished\n");
}

/* The first difference of the fields, and numbers that are scaled otherwise. */
static void print_inputs(const input_fields_t *a, const input_fields_t *b)
{
    char difference[INPUT_FIELDS_DIFFERENCE_BYTES];
    if (input_fields_difference(b, a, difference))
        printf("inputs:        %s (is: A, wanted: B)\n", difference);
    else if (!input_fields_is_scaled_as(a, b))
        printf("inputs:        numeric fields are scaled by other numbers\n");
}

/* What could explain a difference, before the difference. */
static void print_settings(const run_reader_t *a, const run_reader_t *b)
{
    config_difference_t *differences;
    int n;
    config_compare(a->config, b->config, &differences, &n);
    for (int i = 0; i < n; i++)
        printf("%s %s: %s, %s\n", i ? "              " : "configuration:", differences[i].name, differences[i].before,
               differences[i].now);
    config_differences_destroy(&differences, n);
    if (a->config->determinism != b->config->determinism)
        printf("levels:        determinism %s and %s are different trainings, whose bits may part at the first step; compare "
               "runs of one "
               "level\n",
               config_determinism_word((determinism_t)a->config->determinism),
               config_determinism_word((determinism_t)b->config->determinism));
    print_inputs(&a->inputs, &b->inputs);
    if (!a->is_finished || !b->is_finished)
        return;
    if (a->manifest.dataset_hash != b->manifest.dataset_hash)
        printf("dataset:       not the same content\n");
    if (strcmp(a->manifest.build, b->manifest.build) != 0)
        printf("build:         %s, %s\n", a->manifest.build, b->manifest.build);
    if (strcmp(a->manifest.kernels, b->manifest.kernels) != 0)
        printf("kernels:       %s, %s\n", a->manifest.kernels, b->manifest.kernels);
}

/* "table 4 (component 0, video_id)". */
static void print_table(const run_reader_t *run, int32_t table)
{
    printf("table %d", table);
    if ((uint32_t)table >= run->plan.tables)
        return;
    const planned_table_t planned = table_plan_at(&run->plan, (uint32_t)table);
    printf(" (component %d, field %s)", planned.component, run->plan.name[planned.field]);
}

/* Of which value the rows of this key are, where the run's dataset is there and keeps its text. */
static void print_value(const run_reader_t *run, int32_t table, uint64_t key)
{
    const char *path = run->config->data.path;
    char text[SHOWN_KEY_BYTES] = "";
    dataset_t *dataset = NULL;
    if ((uint32_t)table >= run->plan.tables || !dataset_exists(path) || dataset_open(path, CACHE, &dataset) != ST_OK)
        return;
    const bool is_same = !run->is_finished || run->manifest.dataset_hash == dataset_info(dataset)->content_hash;
    const status_t status =
        is_same ? shown_key_find(dataset, &run->plan, table_plan_at(&run->plan, (uint32_t)table).field, key, text) : ST_OK;
    if (status == ST_OK && *text)
        printf("         of %s\n", text);
    dataset_close(&dataset);
}

static void print_rows(const run_reader_t *run, const step_difference_t *d)
{
    printf("  rows   ");
    if (d->one_row) {
        print_table(run, d->first_table);
        printf(", slot %d, key %" PRIu64 ": this row alone\n", d->first_slot, d->key);
        print_value(run, d->first_table, d->key);
        return;
    }
    if (d->tables > 1)
        printf("%d tables, the first is ", d->tables);
    print_table(run, d->first_table);
    printf("; %d of %d groups of slots, the first is %d to %d\n", d->groups, STEP_DIGEST_GROUPS, d->first_slot, d->last_slot);
}

static void print_stored(const char *name, const stored_row_t *row)
{
    if (row->is_there)
        printf("         %s  updated %u times, last at step %" PRId64 "; length of weights and state %.9g\n", name, row->count,
               (int64_t)row->version - 1, row->norm);
    else
        printf("         %s  has no such row\n", name);
}

/* Did both make this probe, of the same examples? */
static const probe_point_t *probe_of_both(const diffed_run_t *a, const diffed_run_t *b, int64_t i)
{
    const probe_point_t *mine = &a->probes.point[i], *other = probe_reader_find(&b->probes, mine->step);
    return other && other->examples == mine->examples ? other : NULL;
}

static void print_probe(const probe_point_t *a, const probe_point_t *b)
{
    spread_t spread;
    spread_measure((const float *const[]){a->p, b->p}, 2, NULL, a->examples, NULL, &spread);
    printf("  probe  before step %" PRId64 ": PD %.4g %%, levelled %.4g %%, of %" PRId64 " examples\n", a->step,
           100.0 * spread.pd_relative.value, 100.0 * spread.pd_levelled.value, a->examples);
}

/* How far apart predictions are: the last probe before the runs part, the first ones after it, and the last. A probe before the
 * step at which they part has seen nothing of it. */
static void print_probes(const diffed_run_t *a, const diffed_run_t *b, int64_t parted)
{
    int64_t before = -1, last = -1;
    int after = 0;
    for (int64_t i = 0; i < a->probes.n; i++)
        if (probe_of_both(a, b, i)) {
            before = a->probes.point[i].step <= parted ? i : before;
            last = i;
        }
    for (int64_t i = before < 0 ? 0 : before; i <= last; i++) {
        const probe_point_t *other = probe_of_both(a, b, i);
        if (other && (i == before || i == last || after++ < PROBES_AFTER))
            print_probe(&a->probes.point[i], other);
    }
}

/* The first key, from what the runs ended with. Rows that differ by then are those that parted first and all that they have led
 * astray since: the rows of the table and the slots where they parted. */
static status_t print_key(const run_reader_t *a, const run_reader_t *b, const step_difference_t *d)
{
    if (!a->is_finished || !b->is_finished)
        return FAIL(ST_INPUT, "--deep compares stored rows, and %s is not finished; resume it first",
                    a->is_finished ? b->dir : a->dir);
    key_range_t range = {(uint32_t)d->first_table, d->first_slot, d->last_slot};
    if (d->one_row)
        range.first_slot = range.last_slot = d->first_slot;
    row_diff_t key;
    TRY(row_diff_find(a->dir, &a->manifest, b->dir, &b->manifest, &range, &key));
    printf("  key    at the end of the runs %" PRId64 " of %" PRId64 " rows there differ", key.different, key.rows);
    if (!key.different) {
        printf("\n");
        return ST_OK;
    }
    printf(", the first is slot %u, key %" PRIu64 "\n", hash_slot(key.key), key.key);
    print_value(a, d->first_table, key.key);
    print_stored("A", &key.a);
    print_stored("B", &key.b);
    return ST_OK;
}

static status_t print_divergence(const diffed_run_t *diffed_a, const diffed_run_t *diffed_b, const divergence_t *d, bool deep)
{
    const run_reader_t *a = &diffed_a->run, *b = &diffed_b->run;
    if (d->step < 0 && d->alone >= 0) {
        const run_reader_t *shorter = d->alone_in_b ? a : b;
        printf("%" PRId64 " steps from %" PRId64 " on are equal; of step %" PRId64 " %s has no digest%s\n", d->compared,
               d->first_compared, d->alone, d->alone_in_b ? "A" : "B", shorter->is_finished ? "" : ", as it is not finished");
        return ST_DIFFERENT;
    }
    if (d->step < 0) {
        printf("all %" PRId64 " steps from %" PRId64 " on are equal\n", d->compared, d->first_compared);
        const bool same =
            !a->is_finished || !b->is_finished || strcmp(a->manifest.result.digest, b->manifest.result.digest) == 0;
        if (!same)
            printf("but the final digests differ: rows or dense parameters that no step updated\n");
        return same ? ST_OK : ST_DIFFERENT;
    }
    if (d->compared)
        printf("%" PRId64 " steps from %" PRId64 " on are equal; ", d->compared, d->first_compared);
    printf("the runs part at step %" PRId64 "\n", d->step);
    if (d->rows)
        print_rows(a, &d->in_rows);
    if (d->dense)
        printf("  dense  component %d\n", d->component);
    print_probes(diffed_a, diffed_b, d->step);
    if (deep && d->rows)
        TRY(print_key(a, b, &d->in_rows));
    return ST_DIFFERENT;
}

status_t command_diff(const options_t *options)
{
    diffed_run_t a = {0}, b = {0};
    divergence_t d;
    status_t status;
    TRY_DONE(read_run(options->argument, &a));
    TRY_DONE(read_run(options->second, &b));
    print_run("A", &a.run);
    print_run("B", &b.run);
    print_settings(&a.run, &b.run);
    TRY_DONE(step_digest_reader_compare(&a.steps, &b.steps, &d));
    status = print_divergence(&a, &b, &d, options->deep);
done:
    fini_run(&a);
    fini_run(&b);
    return status;
}
