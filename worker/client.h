/* client.h - the worker's side of the parameter-server protocol: pulls in flight, rows as they arrive, pushes out, and both
 * again where the network lost them (docs/PROTOCOL.md, "Exactly once").
 *
 * It speaks through the worker's net_t, which is dialled to the coordinator and to every shard. Control messages that arrive
 * in between are kept for the worker's main loop. One thread. */
#ifndef SMELTER_CLIENT_H
#define SMELTER_CLIENT_H

#include "common/net/heartbeat.h"
#include "worker/batch.h"

typedef struct client client_t;

typedef struct client_options {
    net_t *net;             /* borrowed */
    heartbeat_t *heartbeat; /* borrowed; its deadline bounds every wait */
    int shards;
    const char *const *shard_names; /* [shards] "server 1 on node2", borrowed */
    int64_t retry_ms; /* rows that are awaited this long, or a quarter of the deadline, are asked for again; 0: never */
} client_options_t;

client_t *client_create(const client_options_t *options);
void client_destroy(client_t **client);

/* client_begin - forget the run before; the tables are those of `plan`, borrowed until the next client_begin. */
void client_begin(client_t *client, uint64_t run_id, uint32_t incarnation, const table_plan_t *plan);

/* client_push_only - pushes carry the gradients of sets [first, end) of tables alone, 0 <= first < end <= plan->sets, until the
 * next client_begin; pulls are still of all. */
void client_push_only(client_t *client, int first, int end);

/* client_set_save - call save(context) for every SAVE and VERDICT of the run, whenever it arrives; what it returns ends the
 * wait that it came in, where it is not ST_OK. It may send, but not wait. */
typedef status_t client_save_fn(void *context, const wire_header_t *save);
void client_set_save(client_t *client, client_save_fn *save, void *context);

/* client_cut - the pull of this step, which comes next, says that the cluster is cut before it. */
void client_cut(client_t *client, int64_t step);

/* client_pull - send the pull (or peek) of a batch to every shard; at most 4 batches are in flight. The batch stays as it is
 * until client_wait of its step has returned: it may have to be sent again. */
WARN_UNUSED status_t client_pull(client_t *client, const batch_t *batch, bool peek);

/* client_drain - send an empty pull of `step` to every shard; its answer means that the steps it waits for were applied, and
 * waiting for it is waiting until every push so far was taken. */
WARN_UNUSED status_t client_drain(client_t *client, int64_t step);

/* client_fence - send an empty peek of `step` to every shard: waiting for it is waiting until every push so far was taken. */
WARN_UNUSED status_t client_fence(client_t *client, int64_t step);

/* client_wait - until every shard has answered the pull of `step`. Sends heartbeats, and pulls and pushes again that were lost.
 * ST_STOPPED or ST_PEER when told to stop, ST_TIMEOUT past the deadline (logged, naming the shards that are missing). */
WARN_UNUSED status_t client_wait(client_t *client, int64_t step);
/* client_ready - as client_wait, but looks what has arrived and returns at once: *ready once client_wait would return. Call it
 * until then: time counts from the first call. */
WARN_UNUSED status_t client_ready(client_t *client, int64_t step, bool *ready);

/* client_rows - pointers to the rows of a set of tables for the batch that was waited for: row[u] for u < batch->uniques,
 * borrowed until client_release. */
void client_rows(const client_t *client, const batch_t *batch, int set, const float **row);
void client_release(client_t *client, int64_t step);

/* client_push_begin - room for the gradients of a batch. client_push_base - [shards] where each shard's go: for each part
 * of the batch [sets that are pushed][batch_weights of what the part pushes] f32. client_push_send - send to every shard
 * without a copy. The buffer is kept until the shard acknowledges the push. */
void client_push_begin(client_t *client, const batch_t *batch);
float *const *client_push_base(const client_t *client);
WARN_UNUSED status_t client_push_send(client_t *client, const batch_t *batch);

/* client_control - the next control message from the coordinator (BEGIN, DENSE, SCALING, TRAIN, EVALUATE), waiting without end
 * but sending heartbeats; the caller releases it. ST_STOPPED after STOP with success, ST_PEER after STOP with failure or an
 * interrupt. */
WARN_UNUSED status_t client_control(client_t *client, net_message_t *message);

/* client_has_failed - what this worker sent was refused, which has ended the wait that it came in with ST_MESSAGE, logged. */
bool client_has_failed(const client_t *client);

/* client_refuse - answer a message of client_control that cannot be taken, and release it (common/net/dispatch.h). */
WARN_UNUSED status_t client_refuse(client_t *client, net_message_t *message, const char *reason);

/* client_poll - handle what has arrived, without waiting; sends a heartbeat. Call it between lanes. */
WARN_UNUSED status_t client_poll(client_t *client, int64_t step);
/* client_poll_for - as client_poll, but waits up to timeout_ms for the first message. */
WARN_UNUSED status_t client_poll_for(client_t *client, int64_t step, int64_t timeout_ms);

int64_t client_rows_pulled(const client_t *client); /* since client_begin */
int64_t client_rows_pushed(const client_t *client);
int64_t client_bytes_sent(const client_t *client); /* pulls and pushes, those sent again too */
int64_t client_bytes_received(const client_t *client);
int64_t client_sent_again(const client_t *client);     /* pulls and pushes */
int64_t client_unacknowledged(const client_t *client); /* pushes that are kept now, of all shards */

#endif
