#include "worker/worker_send.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/memory.h"

#define CLIPPED_HIGH 0.1 /* share of a layer's values; well above what normalisation leaves outside the usual clip */

/* words: of each example. */
static status_t send_examples(const worker_run_t *r, wire_type_t type, int64_t step, const float *p, const uint8_t *y,
                              const uint64_t *about, int words, int64_t n)
{
    wire_header_t header = run_header(r, type, step, n);
    wire_frame_t frames[] = {{p, n * (int64_t)sizeof *p}, {y, n}, {about, n * words * (int64_t)sizeof *about}};
    return net_send(r->net, PEER_COORDINATOR, &header, frames, 3);
}

status_t worker_send_batch(const worker_run_t *r, const batch_t *batch)
{
    return send_examples(r, WIRE_PREDICTIONS, batch->step, step_predictions(r->step), batch->label, batch->group, 1,
                         batch->rows);
}

/* Say once per run where clipping undoes what a smooth activation is for. */
static void watch_clipping(worker_run_t *r, int64_t step)
{
    for (int k = r->group.first_component; k < r->group.end_component && !r->warned_of_clipping; k++) {
        const model_t *model = step_model(r->step, k);
        model_activated_t layer;
        for (int l = 0; model_activated(model, l, &layer) && !r->warned_of_clipping; l++) {
            if (layer.clipped_share <= CLIPPED_HIGH)
                continue;
            r->warned_of_clipping = true;
            log_warn("step %" PRId64
                     ": %.0f %% of the values of %s (component %d) are clipped at model.clip %g, where gradients "
                     "jump and "
                     "stop; raise it, or use model.layer_norm or model.weight_norm",
                     step, 100.0 * layer.clipped_share, layer.name, k, r->config->model.clip);
        }
    }
}

static void keep_words(const message_about_t *about, const batch_t *batch, uint64_t *words)
{
    for (int32_t i = 0; i < batch->rows; i++, words += about->words) {
        words[0] = batch->group[i];
        if (about->time >= 0)
            words[about->time] = (uint64_t)batch->time[i];
        if (about->weight >= 0)
            words[about->weight] = message_weight_word(batch->weight[i]);
    }
}

static void keep_predictions(worker_run_t *r, const batch_t *batch)
{
    kept_t *k = &r->kept;
    const size_t n = (size_t)batch->rows;
    MEM_GROW(k->p, k->p_cap, k->examples + n);
    MEM_GROW(k->y, k->y_cap, k->examples + n);
    MEM_GROW(k->words, k->words_cap, (k->examples + n) * (size_t)k->about.words);
    memcpy(k->p + k->examples, step_predictions(r->step), n * sizeof *k->p);
    memcpy(k->y + k->examples, batch->label, n);
    uint64_t *words = k->words + k->examples * (size_t)k->about.words;
    if (k->about.words == 1)
        memcpy(words, batch->group, n * sizeof *words);
    else
        keep_words(&k->about, batch, words);
    k->examples += n;
}

status_t worker_send_trained(worker_run_t *r, const batch_t *batch)
{
    if (r->reports)
        keep_predictions(r, batch);
    const int64_t interval = lanes_interval(&r->lanes, r->config->train.report_steps);
    const int64_t next = batch->step + 1;
    return next % interval && next != lanes_steps(&r->lanes) ? ST_OK : worker_send_progress(r, next);
}

static status_t send_digests(worker_run_t *r)
{
    wire_header_t header = run_header(r, WIRE_DIGESTS, 0, 0);
    wire_set_component(&header, r->group.first_component);
    return step_batch_send(&r->digests, r->net, PEER_COORDINATOR, &header);
}

status_t worker_send_step(worker_run_t *r, int64_t step)
{
    if (!step_batch_is_on(&r->digests))
        return ST_OK;
    uint64_t *hashes = step_batch_add(&r->digests, step);
    for (int k = r->group.first_component; k < r->group.end_component; k++) {
        model_t *model = step_model(r->step, k);
        *hashes++ = hash64(model_values(model), (size_t)model_parameters(model) * sizeof(float), 0);
    }
    return step_batch_is_full(&r->digests) ? send_digests(r) : ST_OK;
}

/* An interval may have no examples of this worker (a short last batch); it is sent all the same, to be complete. */
status_t worker_send_progress(worker_run_t *r, int64_t step)
{
    kept_t *k = &r->kept;
    if (step == k->first_step)
        return ST_OK;
    if (run_leads(r))
        watch_clipping(r, step - 1);
    TRY(send_digests(r));
    if (r->reports)
        TRY(send_examples(r, WIRE_PROGRESS, k->first_step, k->p, k->y, k->words, k->about.words, (int64_t)k->examples));
    k->examples = 0;
    k->first_step = step;
    return ST_OK;
}

status_t worker_send_counters(const worker_run_t *r, wire_type_t type, int64_t step, int64_t examples, int64_t start_ns)
{
    const message_counters_t counters = {
        .seconds = (double)(clock_now_ns() - start_ns) * 1e-9,
        .cpu_seconds = clock_cpu_seconds() - r->cpu_start,
        .peak_rss_bytes = clock_peak_rss_bytes(),
        .step_seconds_median = step_times_median(&r->times),
        .step_seconds_longest = (double)r->times.longest_ns * 1e-9,
        .examples = examples,
        .rows_pulled = client_rows_pulled(r->client) - r->probed.rows_pulled,
        .rows_pushed = client_rows_pushed(r->client),
        .bytes_sent = client_bytes_sent(r->client) - r->probed.bytes_sent,
        .bytes_received =
            client_bytes_received(r->client) - r->probed.bytes_received + cluster_bytes_received(r->cluster) - r->dense_before,
        .parameters = step_parameters(r->step),
        .flops_per_example = step_flops(r->step),
        .bad_messages = r->net->bad_messages,
    };
    wire_header_t header = run_header(r, type, step, examples);
    wire_frame_t frame = {&counters, sizeof counters};
    return net_send(r->net, PEER_COORDINATOR, &header, &frame, 1);
}

status_t worker_send_dense(const worker_run_t *r, wire_type_t type, int64_t step)
{
    for (int k = r->group.first_component; run_leads(r) && k < r->group.end_component; k++) {
        model_t *model = step_model(r->step, k);
        const int64_t values = model_parameters(model), state = model_state_count(model);
        float *both = MEM_ARRAY(float, values + state);
        memcpy(both, model_values(model), (size_t)values * sizeof *both);
        memcpy(both + values, model_state(model), (size_t)state * sizeof *both);
        wire_header_t header = run_header(r, type, step, values + state);
        wire_set_component(&header, k);
        wire_frame_t frame = {both, (values + state) * (int64_t)sizeof *both};
        TRY(net_send_owned(r->net, PEER_COORDINATOR, &header, &frame, 1, mem_free, both));
    }
    return ST_OK;
}

status_t worker_send_clipped(const worker_run_t *r)
{
    for (int k = r->group.first_component; run_leads(r) && k < r->group.end_component; k++) {
        const model_t *model = step_model(r->step, k);
        model_activated_t layer;
        int layers = 0;
        while (model_activated(model, layers, &layer))
            layers++;
        float *share = MEM_ARRAY(float, layers);
        message_activated_t *seen = MEM_ARRAY(message_activated_t, layers);
        for (int l = 0; l < layers && model_activated(model, l, &layer); l++) {
            share[l] = (float)layer.clipped_share;
            seen[l] = (message_activated_t){(float)layer.spread, (float)layer.inside_share, (float)layer.beta};
        }
        wire_header_t header = run_header(r, WIRE_CLIPPED, r->now_step, layers);
        wire_set_component(&header, k);
        const wire_frame_t frames[] = {{share, layers * (int64_t)sizeof *share}, {seen, layers * (int64_t)sizeof *seen}};
        status_t status = net_send(r->net, PEER_COORDINATOR, &header, frames, 2);
        mem_free(share);
        mem_free(seen);
        TRY(status);
    }
    return ST_OK;
}
