#include "launcher/metrics/progressive.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/metrics/metrics.h"
#include "common/metrics/time_windows.h"
#include "common/metrics/weighted.h"
#include "common/net/message.h"

/* Messages of one worker that wait for those of the others. Dense gradients keep workers within one step of each other, but not
 * what has arrived of them: after a pause the coordinator reads what one connection has gathered, and then what the next one
 * has. */
#define QUEUE_LEAST 16
#define QUEUE_MOST 65536

#define SAVED_MAGIC 0x474f5250544c4d53u /* "SMLTPROG" */
#define SAVED_VERSION 5                 /* where examples have weights, or times */
#define SAVED_KEEPS 4                   /* where first visits are kept, alone */
#define SAVED_USUAL 3                   /* else */
#define SAVED_OLDEST 1                  /* one sum over all visits, and no sum of later ones; 2: no checksum of the lines */

/* What a worker sent and the others have not yet. */
typedef struct queue {
    net_message_t *messages; /* **owned**, [capacity]; number i lies at i % capacity */
    int64_t capacity, put, taken;
    int64_t used; /* examples of the oldest message that were taken already */
    int64_t next; /* step that its next message begins with, but for steps where it has no examples */
} queue_t;

static net_message_t *queue_at(const queue_t *queue, int64_t number)
{
    return &queue->messages[number % queue->capacity];
}

static void queue_put(queue_t *queue, const net_message_t *message)
{
    if (queue->put - queue->taken == queue->capacity) {
        queue_t larger = *queue;
        larger.capacity = queue->capacity ? 2 * queue->capacity : QUEUE_LEAST;
        larger.messages = MEM_ARRAY(net_message_t, larger.capacity);
        for (int64_t i = queue->taken; i < queue->put; i++)
            *queue_at(&larger, i) = *queue_at(queue, i);
        mem_free(queue->messages);
        *queue = larger;
    }
    *queue_at(queue, queue->put++) = *message;
}

struct progressive {
    progressive_options_t o;
    queue_t *queues;                       /* [workers] */
    int64_t step;                          /* comes next: all examples of the steps before are here */
    int64_t limit;                         /* ... and of this step none are taken in yet */
    int64_t examples;                      /* in complete intervals */
    double first_loss_sum, later_loss_sum; /* over first visits, and over all others */
    double first_weight, later_weight;     /* where examples have weights: of both */
    message_about_t about;                 /* what comes of each example */
    time_windows_t *windows;               /* of first visits; NULL: none */
    bool has_warned;                       /* that there are too many of them */
    uint64_t lines; /* a checksum of the lines of all intervals so far (metrics_lines.h): the sum of their hashes */
    bool lines_known;
    double seconds; /* of the run before start_ns */
    int64_t start_ns;
    /* The examples of the current interval. */
    int64_t n;
    float *p;
    uint8_t *y;
    uint64_t *group;
    int64_t *time; /* where there are windows */
    float *weight; /* where examples have weights */
    size_t p_cap, y_cap, group_cap, time_cap, weight_cap;
    float *first; /* [first_visits] of the first pass, [n_first] are known; NULL where they are not kept */
    int64_t n_first;
};

/* The head of what is saved; the examples of the current interval follow, p f32[n], group u64[n], from version 5 on time i64[n]
 * and weight f32[n] where they have them, y u8[n]; those of the first pass, f32[kept]; and the windows. */
typedef struct saved {
    uint64_t magic;
    int64_t version;
    int64_t step, examples, n;
    double first_loss_sum, seconds;
    double later_loss_sum;                    /* since version 2 */
    uint64_t lines;                           /* since version 3 */
    int64_t kept;                             /* since version 4 */
    double first_weight, later_weight;        /* since version 5, as all that follow */
    int64_t has_time, has_weight, of_windows; /* of_windows: bytes */
} saved_t;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static progressive_t *create(const progressive_options_t *options)
{
    ASSERT(options->interval > 0);
    progressive_t *p = MEM_NEW(progressive_t);
    p->o = *options;
    p->queues = MEM_ARRAY(queue_t, options->workers);
    p->limit = INT64_MAX;
    p->start_ns = net_now_ns(options->net);
    p->about = message_about(options->window > 0, options->has_weight);
    if (options->window > 0)
        p->windows = time_windows_create(options->window);
    if (options->keeps)
        p->first = MEM_ARRAY(float, options->first_visits);
    return p;
}

progressive_t *progressive_create(const progressive_options_t *options)
{
    progressive_t *p = create(options);
    p->lines_known = true;
    return p;
}

void progressive_destroy(progressive_t **progressive)
{
    progressive_t *p = *progressive;
    if (!p)
        return;
    for (int w = 0; w < p->o.workers; w++) {
        while (p->queues[w].taken < p->queues[w].put)
            net_release(p->o.net, queue_at(&p->queues[w], p->queues[w].taken++));
        mem_free(p->queues[w].messages);
    }
    mem_free(p->queues);
    mem_free(p->p);
    mem_free(p->y);
    mem_free(p->group);
    mem_free(p->time);
    mem_free(p->weight);
    mem_free(p->first);
    time_windows_destroy(&p->windows);
    mem_free(p);
    *progressive = NULL;
}

/* ---- save and resume ------------------------------------------------------------------------------------------------- */

static size_t head_bytes(int64_t version)
{
    static const size_t bytes[] = {[1] = offsetof(saved_t, later_loss_sum),
                                   [2] = offsetof(saved_t, lines),
                                   [3] = offsetof(saved_t, kept),
                                   [4] = offsetof(saved_t, first_weight),
                                   [5] = sizeof(saved_t)};
    return bytes[version < SAVED_OLDEST ? SAVED_OLDEST : version > SAVED_VERSION ? SAVED_VERSION : version];
}

static char *append(char *to, const void *from, size_t bytes)
{
    if (bytes > 0)
        memcpy(to, from, bytes);
    return to + bytes;
}

/* Bytes of an example of the interval. */
static int64_t bytes_each(bool has_time, bool has_weight)
{
    return (int64_t)(sizeof(float) + sizeof(uint64_t) + sizeof(uint8_t) + (has_time ? sizeof(int64_t) : 0) +
                     (has_weight ? sizeof(float) : 0));
}

void *progressive_save(const progressive_t *p, int64_t now_ns, int64_t *bytes)
{
    saved_t head = {
        .magic = SAVED_MAGIC,
        .version = p->about.words > 1 ? SAVED_VERSION
                   : p->first         ? SAVED_KEEPS
                                      : SAVED_USUAL,
        .step = p->step,
        .examples = p->examples,
        .n = p->n,
        .first_loss_sum = p->first_loss_sum,
        .later_loss_sum = p->later_loss_sum,
        .seconds = p->seconds + (double)(now_ns - p->start_ns) * 1e-9,
        .lines = p->lines,
        .kept = p->n_first,
        .first_weight = p->first_weight,
        .later_weight = p->later_weight,
        .has_time = p->windows != NULL,
        .has_weight = p->o.has_weight,
    };
    const size_t n = (size_t)p->n, kept = (size_t)p->n_first;
    void *windows = p->windows ? time_windows_save(p->windows, &head.of_windows) : NULL;
    *bytes = (int64_t)(head_bytes(head.version) + kept * sizeof *p->first) + p->n * bytes_each(head.has_time, head.has_weight) +
             head.of_windows;
    char *saved = MEM_ARRAY(char, *bytes), *at = append(saved, &head, head_bytes(head.version));
    at = append(at, p->p, n * sizeof *p->p);
    at = append(at, p->group, n * sizeof *p->group);
    at = append(at, p->time, head.has_time ? n * sizeof *p->time : 0);
    at = append(at, p->weight, head.has_weight ? n * sizeof *p->weight : 0);
    at = append(at, p->y, n * sizeof *p->y);
    at = append(at, p->first, kept * sizeof *p->first);
    append(at, windows, (size_t)head.of_windows);
    mem_free(windows);
    return saved;
}

/* Of a step from 0 to the run's last and one more. */
static int64_t positions_before(const lanes_t *lanes, int64_t step)
{
    return step < lanes_steps(lanes) ? step * lanes->batch : lanes->total;
}

static status_t does_not_fit(const saved_t *head, int64_t bytes, const char *where)
{
    return FAIL(ST_CORRUPT,
                "%s: holds %" PRId64 " and %" PRId64 " examples before step %" PRId64 " in %" PRId64
                " bytes, which do not fit the run",
                where, head->examples, head->n, head->step, bytes);
}

static status_t check_head(const progressive_options_t *o, const void *saved, int64_t bytes, const char *where, saved_t *head)
{
    *head = (saved_t){0};
    memcpy(head, saved, (size_t)bytes < head_bytes(SAVED_OLDEST) ? 0 : head_bytes(SAVED_OLDEST));
    if (bytes < (int64_t)head_bytes(head->version))
        return FAIL(ST_CORRUPT, "%s: has %" PRId64 " bytes, too few for progressive metrics", where, bytes);
    if (head->magic != SAVED_MAGIC)
        return FAIL(ST_CORRUPT, "%s: does not hold progressive metrics", where);
    if (head->version < SAVED_OLDEST || head->version > SAVED_VERSION)
        return FAIL(ST_CORRUPT,
                    "%s: has format %" PRId64 ", this program reads %d; use the smelter that wrote it, or a newer one", where,
                    head->version, SAVED_VERSION);
    memcpy(head, saved, head_bytes(head->version));
    return head->step < 0 || head->step > lanes_steps(&o->lanes) ? does_not_fit(head, bytes, where) : ST_OK;
}

static status_t check_saved(const progressive_options_t *o, const void *saved, int64_t bytes, const char *where, saved_t *head)
{
    TRY(check_head(o, saved, bytes, where, head));
    const int64_t each = bytes_each(head->has_time, head->has_weight);
    const int64_t first = least(positions_before(&o->lanes, head->step), o->first_visits);
    const bool is_kept = head->version == SAVED_KEEPS || (head->version == SAVED_VERSION && head->kept > 0);
    if (is_kept && head->kept != first)
        return FAIL(ST_CORRUPT,
                    "%s: holds %" PRId64 " predictions of the first pass, and not the %" PRId64 " before step %" PRId64, where,
                    head->kept, first, head->step);
    if (head->of_windows < 0 || head->of_windows > bytes || head->kept < 0)
        return does_not_fit(head, bytes, where);
    const int64_t left = bytes - (int64_t)head_bytes(head->version) - head->kept * (int64_t)sizeof(float) - head->of_windows;
    if (left < 0 || head->examples < 0 || left % each || head->n != left / each ||
        head->examples != positions_before(&o->lanes, head->step) - head->n)
        return does_not_fit(head, bytes, where);
    const size_t labels_at = head_bytes(head->version) + (size_t)(head->n * (each - 1));
    if (!metrics_are_labels((const uint8_t *)saved + labels_at, head->n))
        return FAIL(ST_CORRUPT, "%s: holds labels other than 0 and 1", where);
    if (o->keeps && !is_kept && first > 0)
        return FAIL(ST_INPUT,
                    "%s: does not hold what the first %" PRId64
                    " examples were predicted as, which students are to learn: the run "
                    "began without train.keep_progressive and such students; train it anew",
                    where, first);
    return ST_OK;
}

static const char *take(void *to, const char *from, size_t bytes)
{
    if (bytes > 0)
        memcpy(to, from, bytes);
    return from + bytes;
}

static void grow(progressive_t *p, size_t n)
{
    MEM_GROW(p->p, p->p_cap, n);
    MEM_GROW(p->y, p->y_cap, n);
    MEM_GROW(p->group, p->group_cap, n);
    if (p->windows)
        MEM_GROW(p->time, p->time_cap, n);
    if (p->o.has_weight)
        MEM_GROW(p->weight, p->weight_cap, n);
}

/* What an older program did not save, or one that was not to look at it: no time, and a weight of 1. */
static void load_examples(progressive_t *p, const saved_t *head, const char *at)
{
    const size_t n = (size_t)head->n;
    grow(p, n);
    at = take(p->p, at, n * sizeof *p->p);
    at = take(p->group, at, n * sizeof *p->group);
    for (size_t i = 0; i < n && p->windows; i++)
        p->time[i] = TIME_WINDOWS_NO_TIME;
    for (size_t i = 0; i < n && p->o.has_weight; i++)
        p->weight[i] = 1.0f;
    if (head->has_time)
        at = p->windows ? take(p->time, at, n * sizeof *p->time) : at + n * sizeof *p->time;
    if (head->has_weight)
        at = p->o.has_weight ? take(p->weight, at, n * sizeof *p->weight) : at + n * sizeof *p->weight;
    at = take(p->y, at, n * sizeof *p->y);
    if (p->first && head->kept) {
        memcpy(p->first, at, (size_t)head->kept * sizeof *p->first);
        p->n_first = head->kept;
    }
}

/* Windows that are not as they were written count as damage. */
static status_t load_windows(progressive_t *p, const saved_t *head, const char *end, const char *where)
{
    if (!p->windows || !head->of_windows || time_windows_load(p->windows, end - head->of_windows, head->of_windows))
        return ST_OK;
    return FAIL(ST_CORRUPT, "%s: does not hold metrics by windows of time as they were written", where);
}

status_t progressive_resume(const progressive_options_t *options, const void *saved, int64_t bytes, const char *where,
                            progressive_t **out)
{
    saved_t head;
    TRY(check_saved(options, saved, bytes, where, &head));
    progressive_t *p = create(options);
    p->lines = head.lines;
    p->lines_known = head.version >= 3;
    p->step = head.step;
    p->examples = head.examples;
    p->first_loss_sum = head.first_loss_sum;
    p->later_loss_sum = head.later_loss_sum;
    p->first_weight = head.first_weight;
    p->later_weight = head.later_weight;
    if (head.version == 1 && head.examples > options->first_visits) /* one sum of both: neither is known any more */
        p->first_loss_sum = p->later_loss_sum = NAN;
    if (options->has_weight && !head.has_weight && head.examples > 0) /* likewise: it was of examples without weights */
        p->first_loss_sum = p->later_loss_sum = NAN;
    p->seconds = head.seconds;
    p->n = head.n;
    for (int w = 0; w < options->workers; w++)
        p->queues[w].next = head.step;
    load_examples(p, &head, (const char *)saved + head_bytes(head.version));
    const status_t status = load_windows(p, &head, (const char *)saved + bytes, where);
    if (status == ST_OK)
        *out = p;
    else
        progressive_destroy(&p);
    return status;
}

bool progressive_lines(const progressive_t *p, uint64_t *lines)
{
    *lines = p->lines;
    return p->lines_known;
}

void progressive_set_lines(progressive_t *p, uint64_t lines)
{
    p->lines = lines;
    p->lines_known = true;
}

/* ---- examples -------------------------------------------------------------------------------------------------------- */

static int64_t worker_rows(const progressive_t *p, int64_t step, int worker)
{
    const lanes_t *lanes = &p->o.lanes;
    int64_t rows = 0;
    for (int lane = lanes_first(lanes, worker, p->o.workers); lane < lanes_first(lanes, worker + 1, p->o.workers); lane++)
        rows += lanes_rows(lanes, step, lane);
    return rows;
}

/* A dataset without a query column has 0 for every example; the key of a query is a hash. */
static bool has_queries(const uint64_t *group, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (group[i])
            return true;
    return false;
}

/* Of the interval's examples those from `first` on, n of them. What counts nothing adds nothing. */
static void add_loss(const progressive_t *p, int64_t first, int64_t n, double *sum, double *weight)
{
    const float *w = p->weight ? p->weight + first : NULL;
    const double own = weighted_sum(w, n);
    if (!(own > 0.0))
        return;
    *sum += weighted_logloss(p->p + first, p->y + first, w, n) * own;
    *weight += own;
}

/* The interval's examples are in the order of the data: first visits, then others. */
static void add_losses(progressive_t *p)
{
    const int64_t to_come = p->o.first_visits - p->examples, first = to_come < 0 ? 0 : least(to_come, p->n),
                  later = p->n - first;
    add_loss(p, 0, first, &p->first_loss_sum, &p->first_weight);
    add_loss(p, first, later, &p->later_loss_sum, &p->later_weight);
    for (int64_t i = 0; i < first && p->windows; i++) {
        const bool fits = time_windows_put(p->windows, p->time[i], p->p[i], p->y[i], weighted_of(p->weight, i));
        if (!fits && !p->has_warned)
            log_warn("examples are of more than %d windows of time (evaluate.window): all later windows are one, with the "
                     "examples that have no time; choose longer ones",
                     TIME_WINDOWS_MOST);
        p->has_warned = p->has_warned || !fits;
    }
    p->examples += p->n;
}

/* The interval that ends before the next step is told of. */
static status_t emit_interval(progressive_t *p, int64_t now_ns)
{
    const int64_t n = p->n;
    time_window_t *windows = NULL;
    add_losses(p);
    p->n = 0;
    const bool is_end = p->examples >= p->o.first_visits || p->step == lanes_steps(&p->o.lanes);
    const int64_t n_windows = p->windows ? time_windows_ended(p->windows, is_end, &windows) : 0;
    for (int64_t i = 0; i < n_windows; i++)
        windows[i].start = windows[i].start == TIME_WINDOWS_NO_TIME ? windows[i].start : windows[i].start / p->o.ticks;
    const run_event_t event = {
        .kind = EVENT_METRICS,
        .now_ns = now_ns,
        .metrics =
            {
                .step = p->step,
                .examples = p->examples,
                .interval_examples = n,
                .first_visits = least(p->examples, p->o.first_visits),
                .logloss = weighted_logloss(p->p, p->y, p->weight, n),
                .auc_loss = weighted_auc_loss(p->p, p->y, p->weight, n),
                .pqauc_loss = has_queries(p->group, n) ? weighted_pqauc_loss(p->p, p->y, p->weight, p->group, n, NULL) : NAN,
                .calibration = weighted_calibration(p->p, p->y, p->weight, n),
                .progressive_logloss = progressive_logloss(p),
                .training_logloss = progressive_training_logloss(p),
                .seconds = p->seconds + (double)(now_ns - p->start_ns) * 1e-9,
                .window = windows,
                .windows = n_windows,
            },
    };
    char *text = metrics_line_text(&event.metrics);
    p->lines += hash64(text, strlen(text), 0);
    mem_free(text);
    const status_t status = run_events_emit(p->o.events, &event);
    mem_free(windows);
    return status;
}

/* Are all examples of the next step here? */
static bool is_complete(const progressive_t *p)
{
    if (p->step == lanes_steps(&p->o.lanes) || p->step >= p->limit)
        return false;
    for (int w = 0; w < p->o.workers; w++)
        if (p->queues[w].next <= p->step && worker_rows(p, p->step, w))
            return false;
    return true;
}

/* Of the interval's examples, those from number `from` on, `rows` of them, are new. */
static void keep_first(progressive_t *p, int64_t from, int64_t rows)
{
    const int64_t n = p->first ? least(rows, p->o.first_visits - p->n_first) : 0;
    if (n <= 0)
        return;
    memcpy(p->first + p->n_first, p->p + from, (size_t)n * sizeof *p->first);
    p->n_first += n;
}

static void take_words(const progressive_t *p, const uint64_t *words, int64_t rows)
{
    const message_about_t about = p->about;
    if (about.words == 1) {
        memcpy(p->group + p->n, words, (size_t)rows * sizeof *p->group);
        return;
    }
    for (int64_t i = p->n; i < p->n + rows; i++, words += about.words) {
        p->group[i] = words[0];
        if (about.time >= 0)
            p->time[i] = (int64_t)words[about.time];
        if (about.weight >= 0)
            p->weight[i] = message_weight(words[about.weight]);
    }
}

/* Put the examples of the next step behind those of the interval, in the order of the data: worker after worker. */
static void merge_step(progressive_t *p)
{
    const int64_t merged = lanes_step_rows(&p->o.lanes, p->step);
    const size_t total = (size_t)(p->n + merged);
    grow(p, total);
    for (int w = 0; w < p->o.workers; w++) {
        const int64_t rows = worker_rows(p, p->step, w);
        queue_t *queue = &p->queues[w];
        if (rows == 0)
            continue;
        net_message_t *m = queue_at(queue, queue->taken);
        memcpy(p->p + p->n, (const float *)m->frame[0].data + queue->used, (size_t)rows * sizeof *p->p);
        memcpy(p->y + p->n, (const uint8_t *)m->frame[1].data + queue->used, (size_t)rows);
        take_words(p, (const uint64_t *)m->frame[2].data + queue->used * p->about.words, rows);
        p->n += rows;
        queue->used += rows;
        if (queue->used == m->header.count) {
            net_release(p->o.net, m);
            queue->taken++;
            queue->used = 0;
        }
    }
    p->step++;
    keep_first(p, p->n - merged, merged);
}

/* Take in all steps that are complete; a line where an interval ends. */
static status_t merge(progressive_t *p, int64_t now_ns)
{
    while (is_complete(p)) {
        merge_step(p);
        if (p->step % p->o.interval == 0 || p->step == lanes_steps(&p->o.lanes))
            TRY(emit_interval(p, now_ns));
    }
    return ST_OK;
}

status_t progressive_limit(progressive_t *p, int64_t step, int64_t now_ns)
{
    p->limit = step;
    return merge(p, now_ns);
}

/* The step after those that `count` examples of a worker from step `first` on fill; -1 where they end within one, or after the
 * run. */
static int64_t steps_filled(const progressive_t *p, int worker, int64_t first, int64_t count)
{
    int64_t step = first;
    for (int64_t left = count; left > 0; step++) {
        const int64_t rows = step < lanes_steps(&p->o.lanes) ? worker_rows(p, step, worker) : 0;
        if (rows == 0 || rows > left)
            return -1;
        left -= rows;
    }
    return step;
}

bool progressive_has(const progressive_t *p, int worker, int64_t step)
{
    const int64_t steps = lanes_steps(&p->o.lanes), end = step < steps ? step : steps;
    int64_t next = p->queues[worker].next;
    while (next < end && worker_rows(p, next, worker) == 0)
        next++;
    return next >= end;
}

static bool are_weights(const message_about_t *about, const uint64_t *words, int64_t n)
{
    bool good = true;
    for (int64_t i = 0; i < n && about->weight >= 0; i++) {
        const float weight = message_weight(words[i * about->words + about->weight]);
        good = good && weight >= 0.0f && isfinite(weight);
    }
    return good;
}

status_t progressive_put(progressive_t *p, int worker, net_message_t *message, int64_t now_ns)
{
    queue_t *queue = &p->queues[worker];
    const wire_header_t h = message->header;
    int64_t next = -1;
    if (queue->put - queue->taken == QUEUE_MOST)
        return REFUSE("worker %d is too far ahead with its progressive predictions", worker);
    if (message->frame[0].bytes != h.count * 4 || message->frame[1].bytes != h.count ||
        message->frame[2].bytes != h.count * 8 * p->about.words)
        return REFUSE("worker %d sent progressive predictions that are not one for each example, with a query", worker);
    if (!are_weights(&p->about, message->frame[2].data, h.count))
        return REFUSE("worker %d sent progressive predictions of examples with weights that are none", worker);
    if (!metrics_are_labels(message->frame[1].data, h.count))
        return REFUSE("worker %d sent progressive predictions of labels other than 0 and 1", worker);
    if (h.count > 0 && (h.step != queue->next || (next = steps_filled(p, worker, h.step, h.count)) < 0))
        return REFUSE("worker %d sent %" PRId64 " progressive predictions from step %" PRId64
                      " on, which are not those of whole steps from step %" PRId64 " on",
                      worker, h.count, h.step, queue->next);
    if (h.count == 0) {
        net_release(p->o.net, message);
        return ST_OK;
    }
    queue_put(queue, message);
    message->own = NULL;
    queue->next = next;
    return merge(p, now_ns);
}

int64_t progressive_examples(const progressive_t *progressive)
{
    return progressive->examples + progressive->n;
}

int64_t progressive_steps(const progressive_t *progressive)
{
    return progressive->step;
}

double progressive_logloss(const progressive_t *p)
{
    const double first = p->o.has_weight ? p->first_weight : (double)least(p->examples, p->o.first_visits);
    return first > 0.0 ? p->first_loss_sum / first : NAN;
}

double progressive_training_logloss(const progressive_t *p)
{
    const double later = p->o.has_weight ? p->later_weight : (double)(p->examples - p->o.first_visits);
    return later > 0.0 ? p->later_loss_sum / later : NAN;
}

const float *progressive_first(const progressive_t *p, int64_t *n)
{
    ASSERT(p->first);
    *n = p->n_first;
    return p->first;
}
