#include "launcher/checkpoint/checkpoint_verify.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "ps/checkpoint/base.h"
#include "ps/checkpoint/delta.h"

#define BASE_TRIES 5

static void keep_first(status_t *first, status_t status)
{
    if (*first == ST_OK)
        *first = status;
}

static status_t verify_file(disk_t *disk, const checkpoint_resume_t *c, const char *name, const checkpoint_file_t *file,
                            checkpoint_verified_t *sum)
{
    char *data;
    TRY(checkpoint_file_read(disk, c->folder, name, file, &data));
    mem_free(data);
    sum->files++;
    sum->bytes += file->bytes;
    return ST_OK;
}

static status_t count_row(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    (void)table;
    (void)payload_floats;
    (void)row;
    checkpoint_verified_t *sum = context;
    sum->rows++;
    return ST_OK;
}

static hash128_t end_of(const checkpoint_resume_t *c, int shard)
{
    return (hash128_t){c->from.shards[shard].checksum_low, c->from.shards[shard].checksum_high};
}

/* What the files of a shard that were looked at lead to. */
typedef struct chain {
    int64_t held;            /* the step; -1: none */
    hash128_t last;          /* checksum of the delta that led there */
    bool is_known, has_last; /* false after damage: what comes next cannot be held against it */
} chain_t;

/* The base of a shard. ST_TIMEOUT: a running job changed it meanwhile. */
static status_t read_base(const checkpoint_resume_t *c, int shard, const char *path, chain_t *chain, checkpoint_verified_t *sum)
{
    const base_mark_t wanted = {
        .incarnation = (uint32_t)c->from.incarnation, .shard = shard, .step = c->from.step, .identity = c->from.run_id};
    store_t *store = NULL;
    base_mark_t mark;
    status_t status;
    if (!file_exists(path))
        return FAIL(ST_CORRUPT, "%s: is not there, and neither is the first delta of its shard, which it would have taken in",
                    path);
    TRY_DONE(store_open(path, false, &store));
    TRY_DONE(base_check_mark(store, &wanted, &mark));
    if (mark.step == c->from.step)
        TRY_DONE(base_check_delta(store, &mark, end_of(c, shard)));
    TRY_DONE(store_scan(store, count_row, sum));
    TRY_DONE(store_verify(store));
    sum->files++;
    sum->bytes += store_bytes(store);
    chain->held = mark.step;
    chain->last = mark.delta;
done:
    store_close(&store);
    return status;
}

/* A copy of a base, which was removed for a newer one. */
static bool is_replaced(const checkpoint_resume_t *c, int shard, const char *path)
{
    char *now = base_find(c->run_dir, (uint32_t)c->from.incarnation, shard);
    const bool differs = strcmp(now, path) != 0;
    mem_free(now);
    return differs;
}

/* Of a job that runs the base may be changed faster than it is read. */
static status_t verify_base(const checkpoint_resume_t *c, int shard, chain_t *chain, checkpoint_verified_t *sum)
{
    status_t status = ST_TIMEOUT;
    for (int i = 0; i < BASE_TRIES && status == ST_TIMEOUT; i++) {
        checkpoint_verified_t with_base = *sum;
        char *path = base_find(c->run_dir, (uint32_t)c->from.incarnation, shard);
        status = read_base(c, shard, path, chain, &with_base);
        if (status == ST_OK)
            *sum = with_base;
        else if (!file_exists(path) && is_replaced(c, shard, path))
            status = ST_TIMEOUT;
        mem_free(path);
    }
    return status;
}

static status_t check_totals(const char *path, const delta_totals_t *found, const checkpoint_shard_t *written)
{
    if (found->rows == written->rows && found->pending == written->pending && found->bytes == written->bytes &&
        found->checksum_low == written->checksum_low && found->checksum_high == written->checksum_high)
        return ST_OK;
    return FAIL(ST_CORRUPT,
                "%s: has %" PRId64 " rows in %" PRId64 " bytes, checksum %016" PRIx64 "%016" PRIx64
                "; the manifest says %" PRId64 " in %" PRId64 ", %016" PRIx64 "%016" PRIx64,
                path, found->rows, found->bytes, found->checksum_high, found->checksum_low, written->rows, written->bytes,
                written->checksum_high, written->checksum_low);
}

/* A delta, which must lead on from the files before it, where these are known. */
static status_t verify_delta(disk_t *disk, const checkpoint_resume_t *c, int shard, int64_t step, const char *path,
                             chain_t *chain, checkpoint_verified_t *sum)
{
    const delta_head_t expected = {
        .incarnation = (uint32_t)c->from.incarnation, .shard = shard, .step = step, .identity = c->from.run_id};
    delta_reader_t *reader = NULL;
    const bool has_last = chain->has_last;
    chain->has_last = false;
    TRY(delta_reader_create(disk, path, &expected, &reader));
    const delta_totals_t *totals = delta_reader_totals(reader);
    status_t status = ST_OK;
    if (chain->is_known && delta_reader_head(reader)->previous != chain->held)
        status = FAIL(ST_CORRUPT, "%s: leads from step %" PRId64 ", and what is before it leads to step %" PRId64, path,
                      delta_reader_head(reader)->previous, chain->held);
    else if (step == c->from.step)
        status = check_totals(path, totals, &c->from.shards[shard]);
    if (status == ST_OK && has_last)
        status = delta_reader_check(reader, &chain->last, NULL);
    if (status == ST_OK) {
        sum->files++;
        sum->bytes += totals->bytes;
        sum->rows += totals->rows;
        chain->last = (hash128_t){totals->checksum_low, totals->checksum_high};
        chain->has_last = true;
    }
    delta_reader_destroy(&reader);
    return status;
}

/* What the base's checkpoint still has to apply; the delta that had it is gone. */
static status_t verify_pending(disk_t *disk, const checkpoint_resume_t *c, int shard, checkpoint_verified_t *sum)
{
    char *path = checkpoint_pending_path(c->run_dir, (uint32_t)c->from.incarnation, shard, c->from.step);
    const delta_head_t expected = {
        .incarnation = (uint32_t)c->from.incarnation, .shard = shard, .step = c->from.step, .identity = c->from.run_id};
    const hash128_t end = end_of(c, shard);
    delta_reader_t *reader = NULL;
    status_t status;
    TRY_DONE(delta_reader_create(disk, path, &expected, &reader));
    TRY_DONE(delta_reader_check(reader, &end, NULL));
    const delta_totals_t *totals = delta_reader_totals(reader);
    if (totals->pending != c->from.shards[shard].pending) {
        status = FAIL(ST_CORRUPT, "%s: has %" PRId64 " pending pushes; the manifest says %" PRId64, path, totals->pending,
                      c->from.shards[shard].pending);
        goto done;
    }
    sum->files++;
    sum->bytes += totals->bytes;
done:
    delta_reader_destroy(&reader);
    mem_free(path);
    return status;
}

/* The base and what it does not hold yet: as a shard restores it (ps/checkpoint/load.c), where the incarnation's first delta is
 * there, the base, which may be only half made, is not part of the checkpoint. */
static status_t verify_files(disk_t *disk, const checkpoint_resume_t *c, int shard, checkpoint_verified_t *sum)
{
    const uint32_t incarnation = (uint32_t)c->from.incarnation;
    chain_t chain = {.held = -1, .is_known = true, .has_last = true};
    char *first = checkpoint_delta_path(c->run_dir, incarnation, shard, c->from.deltas[0]);
    status_t status = ST_OK;
    if (!disk_exists(disk, first)) {
        status = verify_base(c, shard, &chain, sum);
        chain.is_known = chain.has_last = status == ST_OK;
        if (chain.held == c->from.step && c->from.shards[shard].pending > 0)
            keep_first(&status, verify_pending(disk, c, shard, sum));
    }
    mem_free(first);
    for (int64_t i = 0; i < c->from.n_deltas; i++) {
        const int64_t step = c->from.deltas[i];
        if (step <= chain.held)
            continue;
        char *path = checkpoint_delta_path(c->run_dir, incarnation, shard, step);
        if (chain.is_known || disk_exists(disk, path))
            keep_first(&status, verify_delta(disk, c, shard, step, path, &chain, sum));
        mem_free(path);
        chain.held = step;
    }
    return status;
}

status_t checkpoint_verify_shard(disk_t *disk, const checkpoint_resume_t *c, int shard, checkpoint_verified_t *sum)
{
    char *folder = checkpoint_shard_path(c->run_dir, (uint32_t)c->from.incarnation, shard),
         *place = places_checkpoint(&c->from.places, (uint32_t)c->from.incarnation, shard);
    status_t status;
    if (place && !disk_exists(disk, folder))
        status =
            FAIL(ST_INPUT, "%s: is not on this host: it was written on %s (smelter gather brings the parts of a run together)",
                 folder, place);
    else
        status = verify_files(disk, c, shard, sum);
    mem_free(place);
    mem_free(folder);
    return status;
}

status_t checkpoint_verify(disk_t *disk, const checkpoint_resume_t *c, checkpoint_verified_t *out)
{
    status_t status = ST_OK;
    *out = (checkpoint_verified_t){0};
    for (int64_t k = 0; k < c->from.components; k++) {
        char name[DENSE_NAME_BYTES];
        keep_first(&status, verify_file(disk, c, dense_name((int)k, name), &c->from.dense[k], out));
    }
    keep_first(&status, verify_file(disk, c, FILE_PROGRESS, &c->from.progress, out));
    for (int64_t s = 0; s < checkpoint_manifest_shards(&c->from); s++)
        keep_first(&status, checkpoint_verify_shard(disk, c, (int)s, out));
    return status;
}
