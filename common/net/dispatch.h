/* dispatch.h - from a message to the function that takes it, by what common/net/wire.h declares; and what becomes of the
 * others.
 *
 * A role includes this, writes a function for every row of WIRE_TYPES that it receives (shard_on_pull, coordinator_on_cut,
 * client_on_rows, worker_on_train), and makes its table of them:
 *
 *     static handler_t *const handlers[WIRE_TYPE_END][WIRE_ROLE_END] = {DISPATCH_SHARD};
 *     handlers[message->header.type][role of the sender]
 *
 * A place without a function is a message that the role does not take from that sender. Rejected: a table of functions that
 * each role writes by hand. A message that is declared and not handled would be found by the first who sends it, not by the
 * compiler. */
#ifndef SMELTER_DISPATCH_H
#define SMELTER_DISPATCH_H

#include "common/net/message.h"

/* The entries that a row makes, one for each sender that it names. */
#define DISPATCH_ENTRY(type, handler, role) [WIRE_##type][WIRE_ROLE_##role] = handler,
#define DISPATCH_FROM_COORDINATOR(type, handler) DISPATCH_ENTRY(type, handler, COORDINATOR)
#define DISPATCH_FROM_PULSE(type, handler) DISPATCH_ENTRY(type, handler, PULSE)
#define DISPATCH_FROM_SHARD(type, handler) DISPATCH_ENTRY(type, handler, SHARD)
#define DISPATCH_FROM_WORKER(type, handler) DISPATCH_ENTRY(type, handler, WORKER)
#define DISPATCH_FROM_LEADER(type, handler) DISPATCH_ENTRY(type, handler, WORKER)
#define DISPATCH_FROM_RANK(type, handler) DISPATCH_ENTRY(type, handler, SERVER) DISPATCH_ENTRY(type, handler, WORKER)
#define DISPATCH_FROM_ANY(type, handler) \
    DISPATCH_ENTRY(type, handler, COORDINATOR) \
    DISPATCH_ENTRY(type, handler, PULSE) DISPATCH_FROM_RANK(type, handler) DISPATCH_ENTRY(type, handler, SHARD)

/* The rows that a role receives: DISPATCH_ROLE_TO keeps the entries of a row or drops them. */
#define DISPATCH_ROW(role, type, handler, from, to) DISPATCH_##role##_##to(DISPATCH_FROM_##from(type, handler))

#define DISPATCH_COORDINATOR_COORDINATOR(...) __VA_ARGS__
#define DISPATCH_COORDINATOR_PULSE(...)
#define DISPATCH_COORDINATOR_SHARD(...)
#define DISPATCH_COORDINATOR_WORKER(...)
#define DISPATCH_COORDINATOR_WORKER_IN_TURN(...)
#define DISPATCH_COORDINATOR_RANK(...)
#define DISPATCH_COORDINATOR_ALL(...)
#define DISPATCH_COORDINATOR_R(type, name, from, to, meaning) DISPATCH_ROW(COORDINATOR, type, coordinator_on_##name, from, to)
#define DISPATCH_COORDINATOR WIRE_TYPES(WIRE_NOTHING, DISPATCH_COORDINATOR_R)

#define DISPATCH_SHARD_COORDINATOR(...)
#define DISPATCH_SHARD_PULSE(...)
#define DISPATCH_SHARD_SHARD(...) __VA_ARGS__
#define DISPATCH_SHARD_WORKER(...)
#define DISPATCH_SHARD_WORKER_IN_TURN(...)
#define DISPATCH_SHARD_RANK(...)
#define DISPATCH_SHARD_ALL(...) __VA_ARGS__
#define DISPATCH_SHARD_R(type, name, from, to, meaning) DISPATCH_ROW(SHARD, type, shard_on_##name, from, to)
#define DISPATCH_SHARD WIRE_TYPES(WIRE_NOTHING, DISPATCH_SHARD_R)

/* A worker's client takes what is for a worker at once, and keeps (client_keep) what is for one in turn; the worker's loop
 * takes that. */
#define DISPATCH_WORKER_COORDINATOR(...)
#define DISPATCH_WORKER_PULSE(...)
#define DISPATCH_WORKER_SHARD(...)
#define DISPATCH_WORKER_WORKER(...) __VA_ARGS__
#define DISPATCH_WORKER_WORKER_IN_TURN(...)
#define DISPATCH_WORKER_RANK(...) __VA_ARGS__
#define DISPATCH_WORKER_ALL(...) __VA_ARGS__
#define DISPATCH_IN_TURN_COORDINATOR(...)
#define DISPATCH_IN_TURN_PULSE(...)
#define DISPATCH_IN_TURN_SHARD(...)
#define DISPATCH_IN_TURN_WORKER(...)
#define DISPATCH_IN_TURN_WORKER_IN_TURN(...) __VA_ARGS__
#define DISPATCH_IN_TURN_RANK(...)
#define DISPATCH_IN_TURN_ALL(...)
#define DISPATCH_CLIENT_R(type, name, from, to, meaning) \
    DISPATCH_ROW(WORKER, type, client_on_##name, from, to) DISPATCH_ROW(IN_TURN, type, client_keep, from, to)
#define DISPATCH_CLIENT WIRE_TYPES(WIRE_NOTHING, DISPATCH_CLIENT_R)
#define DISPATCH_WORKER_R(type, name, from, to, meaning) DISPATCH_ROW(IN_TURN, type, worker_on_##name, from, to)
#define DISPATCH_WORKER WIRE_TYPES(WIRE_NOTHING, DISPATCH_WORKER_R)

/* dispatch_refuse - a message that is not taken: count it, say so in the log and to its sender, and release it. `who`
 * refuses it ("shard 3") for this reason. The log has the first few of a net_t, then those whose number is a power of two. The
 * ERROR carries run, incarnation, step and sequence of the message, for the sender may have moved on; it is dropped where the
 * sender does not take it at once. An ERROR is never answered, or two peers could go on for ever.
 * dispatch_drop - one of a stranger, who is not answered: count and release it. */
void dispatch_refuse(net_t *net, net_message_t *message, const char *who, const char *reason);
void dispatch_drop(net_t *net, net_message_t *message);

#endif
