#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/identity.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/data/dataset.h"
#include "common/data/dataset_file.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "common/kernels/processor.h"
#include "common/process/instructions.h"
#include "common/products/gemm.h"
#include "common/products/product.h"
#include "common/texts/dataset_print.h"
#include "common/texts/kept_texts.h"
#include "launcher/commands/commands.h"
#include "launcher/commands/gsmelu_print.h"
#include "launcher/commands/initial_export.h"
#include "launcher/ranks/provenance.h"
#include "launcher/report/results_file.h"
#include "launcher/run/run_reader.h"
#include "launcher/run/runs.h"
#include "ps/checkpoint/store.h"

/* ---- the files of a run ----------------------------------------------------------------------------------------------- */

typedef struct table_sum {
    int64_t rows, payload;
    double squares;
    uint32_t last_version;
    uint64_t updates;
} table_sum_t;

typedef struct run_scan {
    hash_digest_t digest;
    table_sum_t *tables;
    size_t tables_cap;
    int64_t shards_found, rows, bytes, dense;
    bool verifies; /* pages without rows, too */
} run_scan_t;

static status_t visit_row(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    run_scan_t *scan = context;
    table_digest_row(table, payload_floats, row, &scan->digest);
    MEM_GROW(scan->tables, scan->tables_cap, (size_t)table + 1);
    table_sum_t *sum = &scan->tables[table];
    sum->rows++;
    sum->payload = payload_floats;
    sum->updates += row->count;
    if (row->version > sum->last_version)
        sum->last_version = row->version;
    for (int64_t i = 0; i < payload_floats; i++)
        sum->squares += (double)row->payload[i] * row->payload[i];
    return ST_OK;
}

static status_t scan_dense(const run_reader_t *run, run_scan_t *scan)
{
    for (uint32_t k = 0;; k++) {
        char *path = run_dense_path(run->dir, (int)k);
        const bool is_there = file_exists(path);
        float *dense;
        int64_t n;
        mem_free(path);
        if (!is_there)
            return ST_OK;
        TRY(run_reader_dense(run, (int)k, &dense, &n));
        hash_digest_add(&scan->digest, &k, sizeof k, dense, (size_t)n * sizeof *dense);
        scan->dense += n;
        mem_free(dense);
    }
}

/* One shard's store, if it is on this host. */
static status_t scan_shard(const run_reader_t *run, int64_t s, run_scan_t *scan)
{
    char *path = run_store_path(run->dir, (int)s);
    store_t *store = NULL;
    status_t status = ST_OK;
    if (!file_exists(path))
        goto done;
    TRY_DONE(store_open(path, false, &store));
    TRY_DONE(manifest_check_store(&run->manifest, s, store));
    TRY_DONE(store_scan(store, visit_row, scan));
    if (scan->verifies)
        TRY_DONE(store_verify(store));
    scan->shards_found++;
    scan->rows += store_rows(store);
    scan->bytes += store_bytes(store);
done:
    store_close(&store);
    mem_free(path);
    return status;
}

/* Read every shard's store and the dense files of a run. Shards that are not on this host are skipped and not counted. */
static status_t scan_run(const run_reader_t *run, run_scan_t *scan)
{
    for (int64_t s = 0; s < manifest_shards(&run->manifest); s++)
        TRY(scan_shard(run, s, scan));
    return scan_dense(run, scan);
}

static status_t check_digest(const run_reader_t *run, const run_scan_t *scan)
{
    char text[33];
    hash_digest_text(&scan->digest, text);
    if (scan->shards_found < manifest_shards(&run->manifest) || strcmp(text, run->manifest.result.digest) == 0)
        return ST_OK;
    return FAIL(ST_CORRUPT, "%s: the files give digest %s, the manifest holds %s; the files changed after training", run->dir,
                text, run->manifest.result.digest);
}

/* A finished run, of which the files of these kinds and the parameters are whole. */
static status_t read_run(const char *dir, uint32_t kinds, run_reader_t *run, run_scan_t *scan)
{
    TRY(run_reader_open(dir, kinds, run));
    TRY(run_reader_need_finished(run, "", ""));
    TRY(scan_run(run, scan));
    return check_digest(run, scan);
}

/* ---- digest ----------------------------------------------------------------------------------------------------------- */

typedef struct digests {
    int runs;
    status_t status; /* of the first run that is not whole */
} digests_t;

/* Of several runs each is told, also behind one that is not whole. */
static status_t digest_run(void *context, const char *dir)
{
    digests_t *all = context;
    run_reader_t run = {0};
    run_scan_t scan = {.verifies = true};
    const status_t status = read_run(dir, RUN_WHOLE, &run, &scan);
    all->runs++;
    if (status == ST_OK) {
        const int64_t shards = manifest_shards(&run.manifest);
        if (scan.shards_found < shards)
            log_warn("%s: %" PRId64 " of %" PRId64
                     " shard stores are not on this host; this is the digest that the manifest holds",
                     dir, (shards - scan.shards_found), shards);
        if (!run.manifest.files.n)
            log_info("%s: was trained before files had checksums; only its parameters were checked", dir);
        printf("%s  %s\n", run.manifest.result.digest, dir);
    } else if (all->status == ST_OK) {
        all->status = status;
    }
    mem_free(scan.tables);
    run_reader_fini(&run);
    return ST_OK;
}

/* Of an experiment: are its results those of the runs beside them? */
static status_t check_results(const char *dir)
{
    char *path = run_path(dir, FILE_RESULTS);
    jsondoc_t *results = NULL;
    status_t status = ST_OK;
    if (file_exists(path))
        status = results_read(path, &results);
    if (results)
        status = results_check_runs(results, path);
    if (results && status == ST_OK)
        status = results_check_files(results, path);
    jsondoc_destroy(&results);
    mem_free(path);
    return status;
}

status_t command_digest(const options_t *options)
{
    if (!file_exists(options->argument))
        return FAIL(ST_INPUT, "%s does not exist", options->argument);
    digests_t all = {0};
    TRY(runs_visit(options->argument, FILE_MANIFEST, digest_run, &all));
    if (all.runs && all.status == ST_OK)
        all.status = check_results(options->argument);
    return all.runs ? all.status
                    : FAIL(ST_INPUT, "%s holds no finished run (there is no " FILE_MANIFEST ")", options->argument);
}

/* ---- inspect ---------------------------------------------------------------------------------------------------------- */

static status_t print_inputs(run_reader_t *run)
{
    if (!(run->kinds & RUN_INPUTS)) {
        printf("  inputs         not recorded\n");
        return ST_OK;
    }
    TRY(run_reader_inputs(run));
    TRY(run_reader_config(run));
    input_fields_name(&run->inputs, run->config);
    input_fields_print(&run->inputs);
    return ST_OK;
}

static void print_run(const run_reader_t *run, const run_scan_t *scan)
{
    const manifest_t *m = &run->manifest;
    char id[IDENTITY_BYTES];
    printf("%s\n  experiment     %s, variant %s, replica %d (seeds: initialisation %" PRId64 ", order %" PRId64 ")\n", run->dir,
           m->experiment, m->variant, m->result.replica, m->result.init_seed, m->result.order_seed);
    printf("  cluster        %" PRId64 " workers, %" PRId64 " servers of %" PRId64 " shards; determinism %s; %" PRId64
           " steps\n",
           m->workers, m->servers, m->shards_per_server, m->determinism, m->steps);
    printf("  build          %s, kernels %s\n", m->build, m->kernels);
    processors_print(stdout, &m->processors);
    printf("  run id         %s\n", identity_text(m->run_id, id));
    if (m->provenance.version)
        printf("  trained        %s to %s on %s (%s) by smelter %s, commit %s%s%s\n", m->provenance.begun, m->provenance.ended,
               m->provenance.hosts, m->provenance.cpu, m->provenance.version, m->provenance.commit,
               *m->provenance.march ? ", MARCH=" : "", m->provenance.march);
    if (m->continued.from)
        printf("  went on        from %s, with %" PRId64 " training rows appended since its dataset had %" PRId64 "\n",
               m->continued.from, m->continued.train_rows, m->continued.since_rows);
    printf("  evaluation     ");
    run_result_print_quality(stdout, &m->result.quality, m->predictions);
    fputc('\n', stdout);
    printf("  digest         %s\n", m->result.digest);
    printf("  dense          %" PRId64 " floats with optimizer state\n", scan->dense);
    activated_layers_print(&m->result.layers);
    printf("  tables         %" PRId64 " rows in %" PRId64 " of %" PRId64 " shards, %.1f MB on disk\n", scan->rows,
           scan->shards_found, (m->servers * m->shards_per_server), (double)scan->bytes * 1e-6);
    printf("    %6s %12s %8s %14s %12s %12s\n", "table", "rows", "floats", "updates/row", "last step", "rms");
    for (size_t t = 0; t < scan->tables_cap; t++) {
        const table_sum_t *sum = &scan->tables[t];
        if (sum->rows)
            printf("    %6zu %12" PRId64 " %8" PRId64 " %14.2f %12u %12.5f\n", t, sum->rows, sum->payload,
                   (double)sum->updates / (double)sum->rows, sum->last_version ? sum->last_version - 1 : 0,
                   sqrt(sum->squares / (double)(sum->rows * sum->payload)));
    }
}

typedef struct inspection {
    int runs;
    bool verifies;
} inspection_t;

/* A run of an older version has no record of its inputs. */
static status_t inspect_run(void *context, const char *dir)
{
    inspection_t *inspection = context;
    run_reader_t run = {0};
    run_scan_t scan = {.verifies = inspection->verifies};
    const uint32_t kinds = inspection->verifies ? RUN_WHOLE : RUN_CONFIG | RUN_DENSE;
    status_t status;
    inspection->runs++;
    TRY_DONE(read_run(dir, kinds | (input_fields_exist(dir) ? RUN_INPUTS : 0), &run, &scan));
    print_run(&run, &scan);
    TRY_DONE(print_inputs(&run));
    status = gsmelu_print(&run);
done:
    mem_free(scan.tables);
    run_reader_fini(&run);
    return status;
}

static status_t verify_texts(const dataset_t *dataset)
{
    char fault[KEPT_TEXTS_FAULT];
    kept_texts_t *kept = kept_texts_open(dataset_path(dataset), dataset_info(dataset)->content_hash, fault);
    const bool is_good = kept ? kept_texts_verify(kept, fault) : !*fault;
    kept_texts_close(&kept);
    return is_good ? ST_OK
                   : FAIL(ST_CORRUPT, "dataset %s: " DATASET_TEXTS " %s; remove it, or import or generate it again",
                          dataset_path(dataset), fault);
}

static status_t verify_dataset(const char *path)
{
    dataset_t *dataset = NULL;
    status_t status;
    TRY_DONE(dataset_open(path, 1, &dataset));
    TRY_DONE(dataset_verify(dataset));
    status = verify_texts(dataset);
done:
    dataset_close(&dataset);
    return status;
}

status_t command_inspect(const options_t *options)
{
    const char *path = options->argument;
    if (options->initial)
        return initial_export(path, options->initial);
    if (dataset_exists(path)) {
        char *end = NULL;
        long rows = options->rows ? strtol(options->rows, &end, 10) : 5;
        if (options->rows && (*end || rows < 0 || rows > 1000000))
            return FAIL(ST_INPUT, "--rows is \"%s\"; it must be a whole number from 0 to 1000000", options->rows);
        if (options->verify)
            TRY(verify_dataset(path));
        return dataset_print(path, (int)rows);
    }
    if (!file_exists(path))
        return FAIL(ST_INPUT, "%s does not exist", path);
    inspection_t inspection = {.verifies = options->verify};
    TRY(runs_visit(path, FILE_MANIFEST, inspect_run, &inspection));
    return inspection.runs ? ST_OK : FAIL(ST_INPUT, "%s is neither a dataset nor a folder with a finished run", path);
}

/* ---- version ---------------------------------------------------------------------------------------------------------- */

status_t command_version(const options_t *options)
{
    (void)options;
    char text[PROCESSOR_TEXT_BYTES];
    printf("smelter %s\ncommit  %s\nmarch   %s\nkernels %s\nown     %s\n", SMELTER_VERSION, provenance_commit(),
           instructions_march(), gemm_kernel_name(), product_kernel_here()->name);
    printf("bits    %s\n", processor_text(processor_here(), text));
    return ST_OK;
}

status_t command_config_reference(const options_t *options)
{
    return config_write_reference(options->argument);
}
