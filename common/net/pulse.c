#include "common/net/pulse.h"

#include <pthread.h>
#include <signal.h>

#include "common/base/memory.h"
#include "common/net/dispatch.h"

#define LOOK_MS 100 /* so long may a pulse_stop take */

struct pulse {
    net_t *net;
    pthread_t thread;
    atomic_bool stop;
};

void pulse_run(net_t *net, const atomic_bool *stop)
{
    while (!atomic_load(stop)) {
        net_message_t message;
        const status_t status = net_receive(net, &message, LOOK_MS);
        if (status == ST_TIMEOUT)
            continue;
        if (status != ST_OK)
            return;
        if (!wire_may_send(message.header.type, WIRE_ROLE_WORKER, WIRE_ROLE_PULSE)) {
            dispatch_refuse(net, &message, "the coordinator's pulse", "it takes heartbeats alone");
            continue;
        }
        const wire_header_t answer =
            wire_header(WIRE_HEARTBEAT, message.header.run_id, message.header.incarnation, 0, message.header.step, 0);
        const int peer = message.peer;
        net_release(net, &message);
        net_offer(net, peer, &answer, NULL, 0);
    }
}

static void *run(void *argument)
{
    pulse_t *pulse = argument;
    pulse_run(pulse->net, &pulse->stop);
    return NULL;
}

/* Signals are the main thread's. */
status_t pulse_start(net_t *net, pulse_t **out)
{
    pulse_t *pulse = MEM_NEW(pulse_t);
    sigset_t all, before;
    pulse->net = net;
    atomic_init(&pulse->stop, false);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    const int failed = pthread_create(&pulse->thread, NULL, run, pulse);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        mem_free(pulse);
        return FAIL(ST_SYSTEM, "cannot start the thread that answers for the coordinator; the limit on threads is too low");
    }
    *out = pulse;
    return ST_OK;
}

void pulse_stop(pulse_t **pulse)
{
    if (!*pulse)
        return;
    atomic_store(&(*pulse)->stop, true);
    pthread_join((*pulse)->thread, NULL);
    mem_free(*pulse);
    *pulse = NULL;
}
