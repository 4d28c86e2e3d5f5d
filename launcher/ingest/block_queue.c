/* Drafts are a ring. The threads take blocks in the order of their numbers, work on them side by side, and then wait for their
 * turns: LMDB has one writer, and counts and texts of values depend on the order. That part is short, as everything that can
 * be has been done before. Texts that are to be written then are packed after the turn, and have a second one. On two cores the
 * thread that reads text and one of these are busy all the time.                                                          */
#include "launcher/ingest/block_queue.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>

#include "common/data/dataset_meta.h"

#define THREADS_MOST 4                /* more would wait for the one that reads the text */
#define BUSY_MOST ((size_t)256 << 20) /* bytes of drafts at once; of wider rows fewer blocks are on their way, but one is */

/* What is counted of a block, for when it is its turn. */
typedef struct seen_values {
    uint64_t *keys;
    uint32_t *times;
    value_text_t *texts;
    uint32_t count;
    size_t keys_capacity, times_capacity, texts_capacity;
} seen_values_t;

typedef struct number_range {
    int64_t values, missing;
    double low, high;
} number_range_t;

/* Query ids of a block whose texts may be kept: one for each row whose id is not that of the row before it. */
typedef struct seen_groups {
    uint64_t *keys;
    value_text_t *texts;
    uint32_t count;
} seen_groups_t;

typedef struct block_worker {
    block_queue_t *queue;
    pthread_t thread;
    block_encoder_t *encoder;
    record_t raw;
    dataset_packed_t packed;
    const block_draft_t *draft; /* the one it works on */
    number_range_t *numbers;    /* [numeric] */
    seen_values_t *seen;        /* [single + multi] */
    int64_t *without;           /* [multi] rows without a value */
    seen_groups_t groups;       /* [BLOCK_ROWS] */
    uint32_t *fresh;
    size_t fresh_capacity;
    text_batch_t batch;
} block_worker_t;

struct block_queue {
    dataset_file_t *file;
    block_shape_t shape;
    dataset_field_t *fields;
    value_count_t **counts;
    text_keeper_t *keeper; /* or NULL */
    bool compress;
    block_worker_t *workers;
    int threads, started;
    block_draft_t **drafts; /* [threads + 1] */
    uint64_t hash;          /* of the blocks stored so far; the thread's whose turn it is */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    int64_t put, taken, stored, kept; /* blocks, numbered from 0; kept: with their texts */
    bool quit;
    status_t status;
};

/* ---- a block by itself ---- */

/* One bit pattern for what is missing, so that equal rows are equal bytes. */
static number_range_t settle_numbers(block_draft_t *draft, size_t field)
{
    const size_t numerics = (size_t)draft->shape.numeric;
    number_range_t range = {0};
    for (size_t r = 0; r < (size_t)draft->rows; r++) {
        float *value = &draft->numeric[r * numerics + field];
        if (isnan(*value)) {
            *value = NAN;
            range.missing++;
            continue;
        }
        if (range.values == 0 || *value < range.low)
            range.low = *value;
        if (range.values == 0 || *value > range.high)
            range.high = *value;
        range.values++;
    }
    return range;
}

static void keep_seen(void *context, int field, const uint64_t *keys, const uint32_t *counts, const uint32_t *places,
                      uint32_t distinct)
{
    block_worker_t *worker = context;
    const block_draft_t *draft = worker->draft;
    const value_text_t *texts = field < draft->shape.single ? draft->single_text : draft->multi_text;
    seen_values_t *seen = &worker->seen[field];
    MEM_GROW(seen->keys, seen->keys_capacity, distinct);
    MEM_GROW(seen->times, seen->times_capacity, distinct);
    MEM_GROW(seen->texts, seen->texts_capacity, distinct);
    seen->count = distinct;
    for (uint32_t i = 0; i < distinct; i++) {
        seen->keys[i] = keys[i];
        seen->times[i] = counts[i];
        seen->texts[i] = texts[places[i]];
    }
}

static void keep_groups(seen_groups_t *groups, const block_draft_t *draft)
{
    groups->count = 0;
    for (int32_t r = 0; r < draft->rows; r++) {
        if (draft->group_text[r].at == VALUE_TEXT_NONE.at || draft->group_text[r].bytes == 0 ||
            (groups->count > 0 && groups->keys[groups->count - 1] == draft->group[r]))
            continue;
        groups->keys[groups->count] = draft->group[r];
        groups->texts[groups->count++] = draft->group_text[r];
    }
}

static void prepare(block_worker_t *worker, block_draft_t *draft)
{
    const size_t multi = (size_t)draft->shape.multi;
    worker->draft = draft;
    for (size_t f = 0; f < (size_t)draft->shape.numeric; f++)
        worker->numbers[f] = settle_numbers(draft, f);
    for (size_t m = 0; m < multi; m++) {
        worker->without[m] = 0;
        for (size_t r = 0; r < (size_t)draft->rows; r++)
            worker->without[m] += draft->multi_at[r * multi + m] == draft->multi_at[r * multi + m + 1];
    }
    if (draft->group_text)
        keep_groups(&worker->groups, draft);
    const dataset_block_t block = block_draft_block(draft);
    record_clear(&worker->raw);
    block_encode(worker->encoder, &draft->shape, &block, &worker->raw, keep_seen, worker);
    dataset_file_pack(worker->queue->file, &worker->raw, &worker->packed);
}

/* ---- its turn ---- */

static void count_values(block_queue_t *q, block_worker_t *worker, int32_t f)
{
    const seen_values_t *seen = &worker->seen[f];
    const char *memory = worker->draft->text;
    MEM_GROW(worker->fresh, worker->fresh_capacity, seen->count);
    const uint32_t news = value_count_add(q->counts[q->shape.numeric + f], seen->count, seen->keys, seen->times, seen->texts,
                                          memory, worker->fresh);
    for (uint32_t i = 0; q->keeper && i < news; i++) {
        const value_text_t text = seen->texts[worker->fresh[i]];
        if (text.at != VALUE_TEXT_NONE.at && text.bytes > 0)
            text_keeper_add(q->keeper, f, seen->keys[worker->fresh[i]], memory + text.at, text.bytes);
    }
}

static void count(block_queue_t *q, block_worker_t *worker)
{
    const int32_t numeric = q->shape.numeric, single = q->shape.single, multi = q->shape.multi;
    for (int32_t f = 0; f < numeric; f++) {
        dataset_field_t *field = &q->fields[f];
        const number_range_t *range = &worker->numbers[f];
        if (range->values > 0 && (field->values == 0 || range->low < field->low))
            field->low = range->low;
        if (range->values > 0 && (field->values == 0 || range->high > field->high))
            field->high = range->high;
        field->values += range->values;
        field->missing += range->missing;
    }
    for (int32_t f = 0; f < single + multi; f++)
        count_values(q, worker, f);
    for (uint32_t i = 0; q->keeper && i < worker->groups.count; i++)
        text_keeper_add_group(q->keeper, worker->groups.keys[i], worker->draft->text + worker->groups.texts[i].at,
                              worker->groups.texts[i].bytes);
    if (q->keeper)
        text_keeper_take(q->keeper, &worker->batch);
    for (int32_t m = 0; m < multi; m++)
        q->fields[numeric + single + m].missing += worker->without[m];
}

static status_t store(block_queue_t *q, block_worker_t *worker)
{
    char key[DATASET_KEY_BYTES];
    dataset_block_key(key, worker->draft->first / BLOCK_ROWS);
    TRY(dataset_file_put_packed(q->file, key, &worker->packed));
    q->hash = dataset_meta_chain(q->hash, worker->packed.hash);
    count(q, worker);
    return ST_OK;
}

/* With the lock, which is given back meanwhile. */
static void take_turns(block_queue_t *q, block_worker_t *worker, int64_t number)
{
    while (q->stored != number)
        pthread_cond_wait(&q->changed, &q->lock);
    status_t status = q->status;
    pthread_mutex_unlock(&q->lock);
    if (status == ST_OK)
        status = store(q, worker);
    pthread_mutex_lock(&q->lock);
    q->status = status;
    q->stored++;
    pthread_cond_broadcast(&q->changed);
    if (worker->batch.count > 0) {
        pthread_mutex_unlock(&q->lock);
        text_batch_pack(&worker->batch, q->compress);
        pthread_mutex_lock(&q->lock);
    }
    while (q->kept != number)
        pthread_cond_wait(&q->changed, &q->lock);
    if (worker->batch.count > 0) {
        pthread_mutex_unlock(&q->lock);
        status = text_keeper_write(q->keeper, &worker->batch);
        pthread_mutex_lock(&q->lock);
        q->status = q->status == ST_OK ? status : q->status;
    }
    q->kept++;
    pthread_cond_broadcast(&q->changed);
}

static void *work(void *argument)
{
    block_worker_t *worker = argument;
    block_queue_t *q = worker->queue;
    pthread_mutex_lock(&q->lock);
    for (;;) {
        while (!q->quit && q->taken == q->put)
            pthread_cond_wait(&q->changed, &q->lock);
        if (q->quit)
            break;
        const int64_t number = q->taken++;
        pthread_mutex_unlock(&q->lock);
        prepare(worker, q->drafts[number % (q->threads + 1)]);
        pthread_mutex_lock(&q->lock);
        take_turns(q, worker, number);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

/* ---- create and destroy ---- */

static int cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : THREADS_MOST;
}

static void worker_init(block_worker_t *worker, block_queue_t *q)
{
    worker->queue = q;
    worker->encoder = block_encoder_create();
    worker->numbers = MEM_ARRAY(number_range_t, q->shape.numeric);
    worker->seen = MEM_ARRAY(seen_values_t, q->shape.single + q->shape.multi);
    worker->without = MEM_ARRAY(int64_t, q->shape.multi);
    if (q->shape.has_group) {
        worker->groups.keys = MEM_ARRAY(uint64_t, BLOCK_ROWS);
        worker->groups.texts = MEM_ARRAY(value_text_t, BLOCK_ROWS);
    }
}

static void worker_fini(block_worker_t *worker)
{
    for (int32_t f = 0; f < worker->queue->shape.single + worker->queue->shape.multi; f++) {
        mem_free(worker->seen[f].keys);
        mem_free(worker->seen[f].times);
        mem_free(worker->seen[f].texts);
    }
    mem_free(worker->seen);
    mem_free(worker->numbers);
    mem_free(worker->without);
    mem_free(worker->groups.keys);
    mem_free(worker->groups.texts);
    mem_free(worker->fresh);
    text_batch_fini(&worker->batch);
    record_fini(&worker->raw);
    dataset_packed_fini(&worker->packed);
    block_encoder_destroy(&worker->encoder);
}

status_t block_queue_create(dataset_file_t *file, const block_shape_t *shape, dataset_field_t *fields, value_count_t **counts,
                            text_keeper_t *keeper, bool compress, block_queue_t **out)
{
    block_queue_t *q = MEM_NEW(block_queue_t);
    q->file = file;
    q->shape = *shape;
    q->fields = fields;
    q->counts = counts;
    q->keeper = keeper;
    q->compress = compress;
    q->threads = cores() < THREADS_MOST ? cores() : THREADS_MOST;
    q->workers = MEM_ARRAY(block_worker_t, q->threads);
    q->drafts = MEM_ARRAY(block_draft_t *, q->threads + 1);
    for (int i = 0; i <= q->threads; i++)
        q->drafts[i] = block_draft_create(shape);
    for (int i = 0; i < q->threads; i++)
        worker_init(&q->workers[i], q);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->changed, NULL);
    while (q->started < q->threads && pthread_create(&q->workers[q->started].thread, NULL, work, &q->workers[q->started]) == 0)
        q->started++;
    if (q->started == 0) {
        block_queue_destroy(&q);
        return FAIL(ST_SYSTEM, "cannot start the thread that writes blocks; the limit on threads is too low");
    }
    block_draft_reset(q->drafts[0], 0);
    *out = q;
    return ST_OK;
}

void block_queue_destroy(block_queue_t **queue)
{
    block_queue_t *q = *queue;
    if (!q)
        return;
    pthread_mutex_lock(&q->lock);
    q->quit = true;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
    for (int i = 0; i < q->started; i++)
        pthread_join(q->workers[i].thread, NULL);
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->lock);
    for (int i = 0; i < q->threads; i++)
        worker_fini(&q->workers[i]);
    for (int i = 0; i <= q->threads; i++)
        block_draft_destroy(&q->drafts[i]);
    mem_free(q->workers);
    mem_free(q->drafts);
    mem_free(q);
    *queue = NULL;
}

/* ---- the filling thread ---- */

/* put is written by this thread alone. */
block_draft_t *block_queue_draft(block_queue_t *q)
{
    return q->drafts[q->put % (q->threads + 1)];
}

static size_t busy_bytes(const block_queue_t *q)
{
    size_t bytes = 0;
    for (int64_t number = q->stored; number < q->put; number++)
        bytes += block_draft_bytes(q->drafts[number % (q->threads + 1)]);
    return bytes;
}

status_t block_queue_put(block_queue_t *q)
{
    const block_draft_t *draft = block_queue_draft(q);
    const int64_t next = draft->first + draft->rows;
    ASSERT(draft->rows > 0);
    pthread_mutex_lock(&q->lock);
    q->put++;
    pthread_cond_broadcast(&q->changed);
    while (q->put - q->stored > q->threads || (q->stored < q->put && busy_bytes(q) > BUSY_MOST))
        pthread_cond_wait(&q->changed, &q->lock);
    const status_t status = q->status;
    pthread_mutex_unlock(&q->lock);
    block_draft_reset(block_queue_draft(q), next);
    return status;
}

status_t block_queue_finish(block_queue_t *q, uint64_t *hash)
{
    pthread_mutex_lock(&q->lock);
    while (q->kept < q->put)
        pthread_cond_wait(&q->changed, &q->lock);
    const status_t status = q->status;
    pthread_mutex_unlock(&q->lock);
    *hash = q->hash;
    return status;
}
