#include "launcher/progressive.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/jsondoc.h"
#include "common/base/memory.h"
#include "common/metrics/metrics.h"

#define QUEUE 64 /* intervals a worker may be ahead; dense gradients keep workers within one step of each other */

typedef struct queue {
    net_message_t messages[QUEUE];
    int64_t put, taken;
} queue_t;

struct progressive {
    FILE *file;
    char *path;
    net_t *net;
    int workers;
    lanes_t lanes;
    queue_t *queues; /* [workers] */
    int64_t *from;   /* [workers] examples of the current interval already taken */
    int64_t step;    /* steps in complete intervals */
    int64_t examples;
    double loss_sum;
    int64_t start_ns;
    float *p;
    uint8_t *y;
    uint64_t *group;
    size_t p_cap, y_cap, group_cap;
};

status_t progressive_create(const char *path, net_t *net, int workers, const lanes_t *lanes, progressive_t **out)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return FAIL(ST_INPUT, "%s: cannot be written: %m; make the output folder writable or choose another --out", path);
    progressive_t *p = MEM_NEW(progressive_t);
    p->file = file;
    p->path = mem_strdup(path);
    p->net = net;
    p->workers = workers;
    p->lanes = *lanes;
    p->queues = MEM_ARRAY(queue_t, workers);
    p->from = MEM_ARRAY(int64_t, workers);
    p->start_ns = net_now_ns(net);
    *out = p;
    return ST_OK;
}

void progressive_destroy(progressive_t **progressive)
{
    progressive_t *p = *progressive;
    if (!p)
        return;
    for (int w = 0; w < p->workers; w++)
        while (p->queues[w].taken < p->queues[w].put)
            net_release(p->net, &p->queues[w].messages[p->queues[w].taken++ % QUEUE]);
    fclose(p->file);
    mem_free(p->path);
    mem_free(p->queues);
    mem_free(p->from);
    mem_free(p->p);
    mem_free(p->y);
    mem_free(p->group);
    mem_free(p);
    *progressive = NULL;
}

static int64_t worker_rows(const progressive_t *p, int64_t step, int worker)
{
    int64_t rows = 0;
    for (int lane = lanes_first(&p->lanes, worker, p->workers); lane < lanes_first(&p->lanes, worker + 1, p->workers); lane++)
        rows += lanes_rows(&p->lanes, step, lane);
    return rows;
}

/* Put one interval's examples into the order of the data: step after step, worker after worker. Returns the steps covered, or
 * -1 where the workers' parts do not describe the same steps. */
static int64_t interleave(progressive_t *p, int64_t total)
{
    int64_t done = 0, step = p->step;
    memset(p->from, 0, sizeof *p->from * (size_t)p->workers);
    while (done < total && step < lanes_steps(&p->lanes)) {
        for (int w = 0; w < p->workers; w++) {
            const net_message_t *m = &p->queues[w].messages[p->queues[w].taken % QUEUE];
            int64_t n = worker_rows(p, step, w);
            if (p->from[w] + n > m->header.count || done + n > total)
                return -1;
            memcpy(p->p + done, (const float *)m->frame[0].data + p->from[w], (size_t)n * sizeof *p->p);
            memcpy(p->y + done, (const uint8_t *)m->frame[1].data + p->from[w], (size_t)n);
            memcpy(p->group + done, (const uint64_t *)m->frame[2].data + p->from[w], (size_t)n * sizeof *p->group);
            p->from[w] += n;
            done += n;
        }
        step++;
    }
    return done == total ? step - p->step : -1;
}

/* A dataset without a query column has 0 for every example; the key of a query is a hash. */
static bool has_queries(const uint64_t *group, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (group[i])
            return true;
    return false;
}

static status_t write_line(progressive_t *p, int64_t n, double seconds)
{
    double logloss = metrics_logloss(p->p, p->y, n);
    p->loss_sum += logloss * (double)n;
    p->examples += n;
    jsondoc_t *doc = jsondoc_object();
    jsondoc_put_integer(doc, "step", p->step);
    jsondoc_put_integer(doc, "examples", p->examples);
    jsondoc_put_number(doc, "logloss", logloss);
    jsondoc_put_number(doc, "auc_loss", metrics_auc_loss(p->p, p->y, n));
    jsondoc_put_number(doc, "pqauc_loss", has_queries(p->group, n) ? metrics_pqauc_loss(p->p, p->y, p->group, n, NULL) : NAN);
    jsondoc_put_number(doc, "calibration", metrics_calibration(p->p, p->y, n));
    jsondoc_put_number(doc, "progressive_logloss", progressive_logloss(p));
    jsondoc_put_number(doc, "seconds", seconds);
    char *text = jsondoc_text(doc, false);
    jsondoc_destroy(&doc);
    bool good = fputs(text, p->file) >= 0 && fflush(p->file) == 0;
    mem_free(text);
    return good ? ST_OK : FAIL(ST_SYSTEM, "%s: cannot be written: %m; is the disk full?", p->path);
}

/* Write the line of the oldest interval where every worker's part is here. */
static status_t complete(progressive_t *p, int64_t now_ns, bool *more)
{
    int64_t total = 0;
    *more = false;
    for (int w = 0; w < p->workers; w++) {
        if (p->queues[w].taken == p->queues[w].put)
            return ST_OK;
        total += p->queues[w].messages[p->queues[w].taken % QUEUE].header.count;
    }
    MEM_GROW(p->p, p->p_cap, (size_t)total);
    MEM_GROW(p->y, p->y_cap, (size_t)total);
    MEM_GROW(p->group, p->group_cap, (size_t)total);
    int64_t steps = interleave(p, total);
    if (steps < 0)
        return FAIL(ST_MESSAGE, "the workers' progressive predictions after step %lld do not cover the same examples", (long long)p->step);
    for (int w = 0; w < p->workers; w++)
        net_release(p->net, &p->queues[w].messages[p->queues[w].taken++ % QUEUE]);
    p->step += steps;
    *more = true;
    return total ? write_line(p, total, (double)(now_ns - p->start_ns) * 1e-9) : ST_OK;
}

status_t progressive_put(progressive_t *p, int worker, net_message_t *message, int64_t now_ns)
{
    queue_t *queue = &p->queues[worker];
    const wire_header_t *h = &message->header;
    if (queue->put - queue->taken == QUEUE || message->frame[0].bytes != h->count * 4 || message->frame[1].bytes != h->count ||
        message->frame[2].bytes != h->count * 8) {
        net_release(p->net, message);
        return FAIL(ST_MESSAGE, "worker %d sent progressive predictions that are malformed or too far ahead", worker);
    }
    queue->messages[queue->put++ % QUEUE] = *message;
    bool more = true;
    while (more)
        TRY(complete(p, now_ns, &more));
    return ST_OK;
}

int64_t progressive_examples(const progressive_t *progressive)
{
    return progressive->examples;
}

int64_t progressive_steps(const progressive_t *progressive)
{
    return progressive->step;
}

double progressive_logloss(const progressive_t *progressive)
{
    return progressive->examples ? progressive->loss_sum / (double)progressive->examples : NAN;
}
