#include "launcher/run/manifest.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/config/config_compare.h"
#include "common/files/file.h"
#include "common/files/jsondoc.h"
#include "common/files/run_paths.h"
#include "common/files/seal.h"
#include "common/products/product.h"
#include "launcher/metrics/curve.h"

#define FORMAT_VERSION 6
#define FORMAT_OLDEST \
    3 /* without what format 4 says about checkpoints, 5 about times, and 6 about the files beside it and itself */
#define FORMAT_SEALED 6
#define ADVICE "copy it back from where it is whole, or remove the run's folder to train it anew"
#define SYNC \
    "tables and all files that are listed are synced before this one is, which is renamed after; LMDB writes " \
    "without syncing (MDB_NOSYNC) and is synced at the end of a store, and after every transaction of a checkpoint's base"
#define MOST_COUNT (INT64_C(1) << 53)
#define MOST_SHARDS 65536

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, FILE_PREDICTIONS " is written as it lies in memory");

/* Members that are plain texts, counts and hashes; the order is that of the file. */
#define TEXTS(X) X(experiment) X(variant) X(determinism) X(build) X(kernels)
#define HASHES(X) X(config_hash) X(dataset_hash) X(teacher_hash)
#define COUNTS(X) X(workers) X(servers) X(shards_per_server) X(steps) X(predictions)
#define CHECKPOINTS(X) X(resumed) X(checkpoints) /* since format 4, as the next */
#define MEMBER_INCARNATION "epoch"
#define TIMES(X) X(begin_seconds) X(step_seconds_median) X(step_seconds_longest) /* since format 5 */

static void hash_text(uint64_t hash, char text[17])
{
    snprintf(text, 17, "%016" PRIx64, hash);
}

/* What each shard stored; an older manifest does not say. */
static void put_stores(jsondoc_t *doc, const manifest_t *manifest)
{
    jsondoc_t *stores = jsondoc_array();
    for (int64_t s = 0; s < manifest_shards(manifest); s++) {
        char digest[33];
        jsondoc_t *one = jsondoc_object();
        hash_digest_text(&manifest->stores[s], digest);
        jsondoc_put_integer(one, "rows", manifest->stores[s].elements);
        jsondoc_put_text(one, "digest", digest);
        jsondoc_append(stores, &one);
    }
    jsondoc_put(doc, "stores", &stores);
}

static status_t get_stores(const jsondoc_t *doc, const char *where, manifest_t *out)
{
    const jsondoc_t *stores;
    TRY(jsondoc_get_array(doc, where, "stores", &stores));
    if (jsondoc_length(stores) != manifest_shards(out))
        return FAIL(ST_CORRUPT, "%s: \"stores\" has %" PRId64 " entries for %" PRId64 " shards", where, jsondoc_length(stores),
                    manifest_shards(out));
    out->stores = MEM_ARRAY(hash_digest_t, jsondoc_length(stores));
    for (int64_t s = 0; s < jsondoc_length(stores); s++) {
        const jsondoc_t *one = jsondoc_at(stores, s);
        const char *digest;
        TRY(jsondoc_get_integer(one, where, "rows", 0, MOST_COUNT, &out->stores[s].elements));
        TRY(jsondoc_get_text(one, where, "digest", &digest));
        if (!hash_digest_parse(digest, &out->stores[s]))
            return FAIL(ST_CORRUPT, "%s: \"digest\" of store %" PRId64 " is \"%s\"; it must be 32 hex digits", where, s,
                        digest);
    }
    return ST_OK;
}

static jsondoc_t *encode(const manifest_t *manifest)
{
    const replica_result_t *run = &manifest->result;
    jsondoc_t *doc = jsondoc_object(), *quality = jsondoc_object(), *cost = jsondoc_object();
    jsondoc_put_integer(doc, "format", FORMAT_VERSION);
#define PUT(name) jsondoc_put_text(doc, #name, manifest->name);
    TEXTS(PUT)
#undef PUT
#define PUT(name) jsondoc_put_hash(doc, #name, manifest->name);
    HASHES(PUT)
#undef PUT
#define PUT(name) jsondoc_put_integer(doc, #name, manifest->name);
    COUNTS(PUT)
    jsondoc_put_integer(doc, MEMBER_INCARNATION, manifest->incarnation);
    CHECKPOINTS(PUT)
#undef PUT
#define PUT(name) jsondoc_put_number(doc, #name, manifest->name);
    TIMES(PUT)
#undef PUT
    if (manifest->scored != SPLIT_EVAL)
        jsondoc_put_text(doc, "scored", dataset_split_word(manifest->scored));
    if (manifest->stopped_at)
        jsondoc_put_integer(doc, "stopped_at", manifest->stopped_at);
    if (manifest->best_step)
        jsondoc_put_integer(doc, "best_step", manifest->best_step);
    if (manifest->run_id)
        jsondoc_put_hash(doc, "run_id", manifest->run_id);
    if (manifest->stores)
        put_stores(doc, manifest);
    places_put(doc, &manifest->places);
    continued_put(doc, &manifest->continued);
    processors_put(doc, &manifest->processors);
    if (manifest->provenance.version)
        provenance_put(doc, &manifest->provenance);
    jsondoc_put_text(doc, "sync", SYNC);
    jsondoc_put_integer(doc, "replica", run->replica);
    jsondoc_put_integer(doc, "init_seed", run->init_seed);
    jsondoc_put_integer(doc, "order_seed", run->order_seed);
    jsondoc_put_text(doc, "digest", run->digest);
    metric_put_all(quality, &quality_rows, &run->quality);
    metric_put_all(cost, &cost_rows, &run->cost);
    jsondoc_put(doc, "metrics", &quality);
    jsondoc_put(doc, "cost", &cost);
    activated_layers_put(doc, &run->layers);
    run_files_put(doc, &manifest->files);
    return doc;
}

status_t manifest_write(const char *folder, manifest_t *manifest)
{
    replica_result_t *run = &manifest->result;
    ASSERT(run->predictions || manifest->predictions == 0);
    char *json_path = run_path(folder, FILE_MANIFEST), *predictions_path = run_path(folder, FILE_PREDICTIONS);
    jsondoc_t *doc = NULL;
    status_t status;
    run_files_fini(&manifest->files);
    TRY_DONE(file_write_atomic(predictions_path, run->predictions, (size_t)manifest->predictions * sizeof(float)));
    TRY_DONE(run_files_seal(folder, &manifest->files));
    doc = encode(manifest);
    TRY_DONE(seal_write(doc, json_path, run->manifest));
done:
    mem_free(json_path);
    mem_free(predictions_path);
    jsondoc_destroy(&doc);
    return status;
}

/* The list of files came with the manifest's own checksum. A format that says otherwise was changed by hand. */
static status_t decode_files(const jsondoc_t *doc, const char *where, int64_t format, bool sealed, run_files_t *out)
{
    if (sealed != (format >= FORMAT_SEALED) || jsondoc_has(doc, "files") != sealed)
        return FAIL(ST_CORRUPT, "%s: was changed after training: format %" PRId64 " %s; " ADVICE, where, format,
                    format >= FORMAT_SEALED ? "ends with a checksum and lists the run's files" : "has no checksums");
    return sealed ? run_files_get(doc, where, out) : ST_OK;
}

/* What is not said is the usual: the evaluation split was scored, by the parameters after the last step. */
static status_t get_ending(const jsondoc_t *doc, const char *where, manifest_t *out)
{
    const char *word = dataset_split_word(SPLIT_EVAL);
    if (jsondoc_has(doc, "scored"))
        TRY(jsondoc_get_text(doc, where, "scored", &word));
    if (!dataset_split_of(word, &out->scored))
        return FAIL(ST_CORRUPT, "%s: \"scored\" is \"%s\", which is no split; " ADVICE, where, word);
    if (jsondoc_has(doc, "stopped_at"))
        TRY(jsondoc_get_integer(doc, where, "stopped_at", 1, MOST_COUNT, &out->stopped_at));
    return jsondoc_has(doc, "best_step") ? jsondoc_get_integer(doc, where, "best_step", 1, MOST_COUNT, &out->best_step) : ST_OK;
}

static status_t decode(const jsondoc_t *doc, const char *where, bool sealed, manifest_t *out)
{
    int64_t format, replica;
    TRY(jsondoc_get_integer(doc, where, "format", FORMAT_OLDEST, FORMAT_VERSION, &format));
    TRY(decode_files(doc, where, format, sealed, &out->files));
#define GET(name) \
    { \
        const char *text; \
        TRY(jsondoc_get_text(doc, where, #name, &text)); \
        out->name = mem_strdup(text); \
    }
    TEXTS(GET)
#undef GET
#define GET(name) TRY(jsondoc_get_hash(doc, where, #name, &out->name));
    HASHES(GET)
#undef GET
#define GET(name) TRY(jsondoc_get_integer(doc, where, #name, 0, MOST_COUNT, &out->name));
    COUNTS(GET)
    if (out->shards_per_server && out->servers > MOST_SHARDS / out->shards_per_server)
        return FAIL(ST_CORRUPT, "%s: %" PRId64 " servers with %" PRId64 " shards each cannot be", where, out->servers,
                    out->shards_per_server);
    if (format >= 4) {
        TRY(jsondoc_get_integer(doc, where, MEMBER_INCARNATION, 0, MOST_COUNT, &out->incarnation));
        CHECKPOINTS(GET)
    }
#undef GET
#define GET(name) TRY(jsondoc_get_number(doc, where, #name, &out->name));
    if (format >= 5) {
        TIMES(GET)
    }
#undef GET
    TRY(get_ending(doc, where, out));
    if (jsondoc_has(doc, "run_id"))
        TRY(jsondoc_get_hash(doc, where, "run_id", &out->run_id));
    if (jsondoc_has(doc, "stores"))
        TRY(get_stores(doc, where, out));
    TRY(places_get(doc, where, manifest_shards(out), &out->places));
    TRY(continued_get(doc, where, &out->continued));
    TRY(processors_get(doc, where, &out->processors));
    TRY(provenance_get(doc, where, &out->provenance));
    replica_result_t *run = &out->result;
    TRY(jsondoc_get_integer(doc, where, "replica", 0, INT32_MAX, &replica));
    run->replica = (int32_t)replica;
    TRY(jsondoc_get_integer(doc, where, "init_seed", 0, INT64_MAX, &run->init_seed));
    TRY(jsondoc_get_integer(doc, where, "order_seed", 0, INT64_MAX, &run->order_seed));
    const char *digest;
    TRY(jsondoc_get_text(doc, where, "digest", &digest));
    if (strlen(digest) != 32)
        return FAIL(ST_CORRUPT, "%s: \"digest\" is \"%s\"; it must be 32 hex digits", where, digest);
    memcpy(run->digest, digest, sizeof run->digest);
    const jsondoc_t *quality, *cost;
    TRY(jsondoc_get_object(doc, where, "metrics", &quality));
    TRY(jsondoc_get_object(doc, where, "cost", &cost));
    TRY(activated_layers_get(doc, where, &run->layers));
    TRY(metric_get_all(quality, where, &quality_rows, &run->quality));
    return metric_get_all(cost, where, &cost_rows, &run->cost);
}

/* Older runs took one mean over all epochs and called it progressive, which it is for one epoch alone. */
static status_t forget_mixed_loss(const char *folder, const jsondoc_t *doc, const char *where, manifest_t *out)
{
    const jsondoc_t *quality;
    config_t *config = NULL;
    TRY(jsondoc_get_object(doc, where, "metrics", &quality));
    char *path = run_path(folder, FILE_CONFIG);
    status_t status =
        jsondoc_has(quality, "training_logloss") || !file_exists(path) ? ST_OK : config_read_resolved(path, &config);
    if (config && config->train.epochs > 1)
        out->result.quality.progressive_logloss = NAN;
    config_destroy(&config);
    mem_free(path);
    return status;
}

static status_t check_length(const manifest_t *manifest, const char *path, int64_t bytes)
{
    const int64_t wanted = manifest->predictions * (int64_t)sizeof(float);
    if (bytes == wanted)
        return ST_OK;
    return FAIL(ST_CORRUPT,
                "%s: holds %" PRId64 " bytes, and %" PRId64 " predictions need %" PRId64
                "; remove the run's folder to train it anew",
                path, bytes, manifest->predictions, wanted);
}

status_t manifest_open_predictions(manifest_t *manifest, const char *folder)
{
    char *path = run_path(folder, FILE_PREDICTIONS);
    float_file_t *file = NULL;
    int64_t n = 0;
    status_t status;
    TRY_DONE(float_file_open(disk_posix(), path, &file, &n));
    TRY_DONE(check_length(manifest, path, n * (int64_t)sizeof(float)));
    TRY_DONE(run_files_check_sum(&manifest->files, path, FILE_PREDICTIONS, float_file_checksum(file)));
    float_file_close(&manifest->result.predictions_file);
    manifest->result.predictions_file = file;
    file = NULL;
done:
    float_file_close(&file);
    mem_free(path);
    return status;
}

status_t manifest_read(const char *folder, manifest_t *out, bool *found)
{
    status_t status = ST_OK;
    manifest_t read = {0};
    jsondoc_t *doc = NULL;
    char *json_path = run_path(folder, FILE_MANIFEST), *predictions_path = run_path(folder, FILE_PREDICTIONS);
    bool is_there = file_exists(json_path), sealed = false;
    int64_t bytes = 0;
    if (!is_there)
        goto done;
    TRY_DONE(seal_read(json_path, ADVICE, &doc, &sealed, read.result.manifest));
    TRY_DONE(decode(doc, json_path, sealed, &read));
    TRY_DONE(run_files_check(&read.files, folder, RUN_PREDICTIONS));
    TRY_DONE(forget_mixed_loss(folder, doc, json_path, &read));
    TRY_DONE(file_bytes(predictions_path, &bytes));
    TRY_DONE(check_length(&read, predictions_path, bytes));
    *out = read;
    read = (manifest_t){0};
done:
    if (status == ST_OK)
        *found = is_there;
    manifest_fini(&read);
    jsondoc_destroy(&doc);
    mem_free(json_path);
    mem_free(predictions_path);
    return status;
}

bool manifest_has_config(const manifest_t *manifest, const config_t *config)
{
    config_t whole = *config;
    whole.train.last_batch = LAST_BATCH_OWN;
    return config_hash(config) == manifest->config_hash || config_hash(&whole) == manifest->config_hash;
}

status_t manifest_check_store(const manifest_t *manifest, int64_t shard, store_t *store)
{
    const store_origin_t wanted = {manifest->run_id, (uint32_t)manifest->incarnation, (int32_t)shard};
    return store_check(store, &wanted, manifest->stores ? &manifest->stores[shard] : NULL);
}

/* Manifests without checksums hold the number of steps, after the last of which the last line of a curve was written. */
static status_t check_curve_end(const manifest_t *manifest, const char *folder)
{
    curve_t curve;
    bool found;
    TRY(curve_read(folder, &curve, &found));
    const int64_t last = found && curve.points ? curve.point[curve.points - 1].step : manifest->steps;
    if (found)
        curve_fini(&curve);
    if (last == manifest->steps)
        return ST_OK;
    return FAIL(ST_CORRUPT,
                "%s/" FILE_METRICS ": was changed after training: its curve ends at step %" PRId64 ", the run made %" PRId64
                "; " ADVICE,
                folder, last, manifest->steps);
}

status_t manifest_check_files(const manifest_t *manifest, const char *folder, uint32_t kinds)
{
    if (!manifest->files.n && kinds & RUN_METRICS)
        TRY(check_curve_end(manifest, folder));
    return run_files_check(&manifest->files, folder, kinds);
}

static status_t differ(const char *folder, const char *what, const char *found, const char *wanted)
{
    return FAIL(ST_INPUT, "%s: holds a finished run: its %s is %s, wanted is %s; choose another --out or remove it", folder,
                what, found, wanted);
}

static status_t check_text(const char *folder, const char *what, const char *found, const char *wanted)
{
    return strcmp(found, wanted) == 0 ? ST_OK : differ(folder, what, found, wanted);
}

static status_t check_number(const char *folder, const char *what, int64_t found, int64_t wanted)
{
    if (found == wanted)
        return ST_OK;
    char a[24], b[24];
    snprintf(a, sizeof a, "%" PRId64, found);
    snprintf(b, sizeof b, "%" PRId64, wanted);
    return differ(folder, what, a, b);
}

static status_t check_hash(const char *folder, const char *what, uint64_t found, uint64_t wanted)
{
    if (found == wanted)
        return ST_OK;
    char a[17], b[17];
    hash_text(found, a);
    hash_text(wanted, b);
    return differ(folder, what, a, b);
}

/* The hashes of two configurations differ: name the key, as far as the folder's own copy tells. */
static status_t check_config(const char *folder, const manifest_t *wanted)
{
    char *path = run_path(folder, FILE_CONFIG), difference[512];
    config_t *config = NULL;
    status_t status = ST_OK;
    if (file_exists(path)) {
        status = config_read_resolved(path, &config);
        config_t same = *wanted->config;
        if (config && !wanted->left_over)
            same.train.last_batch = config->train.last_batch;
        if (status == ST_OK && config_difference(config, &same, difference, sizeof difference))
            status = FAIL(ST_INPUT, "%s: holds a finished run: %s; choose another --out or remove it", folder, difference);
    }
    config_destroy(&config);
    mem_free(path);
    return status;
}

/* Data that were imported in another way: named by field, as far as the folder's inputs.json tells, before two hashes are. */
static status_t check_inputs(const char *folder, const manifest_t *wanted)
{
    input_fields_t inputs = {0};
    char difference[INPUT_FIELDS_DIFFERENCE_BYTES];
    if (!wanted->config || !input_fields_exist(folder))
        return ST_OK;
    TRY(input_fields_read(folder, &inputs));
    const bool differ = input_fields_difference(&wanted->inputs, &inputs, difference);
    input_fields_fini(&inputs);
    return differ ? FAIL(ST_INPUT,
                         "%s: holds a finished run of data that were imported in another way than dataset %s: %s; choose "
                         "another --out, or "
                         "import by the run's schema",
                         folder, wanted->config->data.path, difference)
                  : ST_OK;
}

/* The bits of a run of that level are those of any number of workers and servers. */
static bool is_of_any_cluster(const manifest_t *run)
{
    return strcmp(run->determinism, "invariant") == 0 || strcmp(run->determinism, "portable") == 0;
}

status_t manifest_check(const manifest_t *found, const manifest_t *wanted, const char *folder)
{
    TRY(check_text(folder, "variant", found->variant, wanted->variant));
    TRY(check_number(folder, "replica", found->result.replica, wanted->result.replica));
    TRY(check_text(folder, "determinism", found->determinism, wanted->determinism));
    TRY(check_number(folder, "initialisation seed", found->result.init_seed, wanted->result.init_seed));
    TRY(check_number(folder, "order seed", found->result.order_seed, wanted->result.order_seed));
    TRY(check_inputs(folder, wanted));
    TRY(check_hash(folder, "dataset hash", found->dataset_hash, wanted->dataset_hash));
    if (found->config_hash != wanted->config_hash && wanted->config)
        TRY(check_config(folder, wanted));
    TRY(check_hash(folder, "configuration hash", found->config_hash, wanted->config_hash));
    TRY(check_hash(folder, "teacher's configuration hash", found->teacher_hash, wanted->teacher_hash));
    TRY(check_text(folder, "scored split", dataset_split_word(found->scored), dataset_split_word(wanted->scored)));
    if (!is_of_any_cluster(wanted)) {
        TRY(check_number(folder, "number of workers", found->workers, wanted->workers));
        TRY(check_number(folder, "number of servers", found->servers, wanted->servers));
    }
    if (strcmp(found->build, wanted->build) != 0 || !product_texts_agree(found->kernels, wanted->kernels))
        log_warn("%s: was trained by build %s with kernels %s; this is build %s with kernels %s", folder, found->build,
                 found->kernels, wanted->build, wanted->kernels);
    return ST_OK;
}

/* One line for two replicas that must not be compared. */
static status_t replicas_differ(const manifest_t *a, const manifest_t *b, const char *what, const char *in_a, const char *in_b)
{
    return FAIL(
        ST_INPUT,
        "%s: replicas %d and %d differ in their %s (%s and %s), which the variant's experiment.vary does not name; their "
        "prediction difference would mean nothing: train them again in another --out",
        a->variant, a->result.replica, b->result.replica, what, in_a, in_b);
}

static status_t same_number(const manifest_t *a, const manifest_t *b, const char *what, int64_t in_a, int64_t in_b)
{
    char text_a[24], text_b[24];
    snprintf(text_a, sizeof text_a, "%" PRId64, in_a);
    snprintf(text_b, sizeof text_b, "%" PRId64, in_b);
    return in_a == in_b ? ST_OK : replicas_differ(a, b, what, text_a, text_b);
}

static status_t same_text(const manifest_t *a, const manifest_t *b, const char *what, const char *in_a, const char *in_b)
{
    return strcmp(in_a, in_b) == 0 ? ST_OK : replicas_differ(a, b, what, in_a, in_b);
}

status_t manifest_check_replicas(const manifest_t *a, const manifest_t *b, bool vary_init, bool vary_order, bool vary_workers)
{
    char hash_a[17], hash_b[17];
    hash_text(a->dataset_hash, hash_a);
    hash_text(b->dataset_hash, hash_b);
    TRY(same_text(a, b, "dataset", hash_a, hash_b));
    TRY(same_text(a, b, "build", a->build, b->build));
    TRY(same_text(a, b, "determinism level", a->determinism, b->determinism));
    TRY(same_number(a, b, "number of steps", a->steps, b->steps));
    if (!vary_init)
        TRY(same_number(a, b, "initialisation seed", a->result.init_seed, b->result.init_seed));
    if (!vary_order)
        TRY(same_number(a, b, "order seed", a->result.order_seed, b->result.order_seed));
    if (!vary_workers && !is_of_any_cluster(a)) {
        TRY(same_number(a, b, "number of workers", a->workers, b->workers));
        TRY(same_number(a, b, "number of servers", a->servers, b->servers));
    }
    return ST_OK;
}

status_t manifest_check_processors(const manifest_t *a, const manifest_t *b)
{
    char in_a[PROCESSOR_TEXT_BYTES], in_b[PROCESSOR_TEXT_BYTES];
    if (strcmp(a->determinism, "sync") != 0 && strcmp(a->determinism, "invariant") != 0)
        return ST_OK;
    if (!processors_are_same(&a->processors, &b->processors))
        return replicas_differ(a, b, "processors", processor_text(&a->processors.kind[0].processor, in_a),
                               processor_text(&b->processors.kind[0].processor, in_b));
    return product_texts_agree(a->kernels, b->kernels) ? ST_OK
                                                       : replicas_differ(a, b, "matrix kernels", a->kernels, b->kernels);
}

void manifest_fini(manifest_t *manifest)
{
#define FREE(name) mem_free(manifest->name);
    TEXTS(FREE)
#undef FREE
    processors_fini(&manifest->processors);
    provenance_fini(&manifest->provenance);
    run_files_fini(&manifest->files);
    activated_layers_fini(&manifest->result.layers);
    mem_free(manifest->result.predictions);
    float_file_close(&manifest->result.predictions_file);
    mem_free(manifest->stores);
    places_fini(&manifest->places);
    continued_fini(&manifest->continued);
    config_destroy(&manifest->config);
    input_fields_fini(&manifest->inputs);
    *manifest = (manifest_t){0};
}
