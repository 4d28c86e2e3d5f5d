#include "common/net/zeromq.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "common/base/log.h"

static void *process_context;
static pthread_mutex_t context_lock = PTHREAD_MUTEX_INITIALIZER;

void *zeromq_context(void)
{
    pthread_mutex_lock(&context_lock);
    if (!process_context) {
        process_context = zmq_ctx_new();
        ASSERT(process_context);
        zmq_ctx_set(process_context, ZMQ_MAX_SOCKETS, 16384);
    }
    void *context = process_context;
    pthread_mutex_unlock(&context_lock);
    return context;
}

void zeromq_end(void)
{
    pthread_mutex_lock(&context_lock);
    while (process_context && zmq_ctx_term(process_context) != 0 && errno == EINTR)
        ;
    process_context = NULL;
    pthread_mutex_unlock(&context_lock);
}

status_t zeromq_socket(int type, void **out)
{
    void *socket = zmq_socket(zeromq_context(), type);
    if (!socket)
        return FAIL(ST_SYSTEM, "zeromq cannot open a socket: %s; `ulimit -n` may be too small", zmq_strerror(errno));
    *out = socket;
    return ST_OK;
}

status_t zeromq_set(void *socket, int option, int value, const char *name)
{
    if (zmq_setsockopt(socket, option, &value, sizeof value) == 0)
        return ST_OK;
    return FAIL(ST_SYSTEM, "zeromq refused the socket option %s = %d: %s", name, value, zmq_strerror(errno));
}

status_t zeromq_set_text(void *socket, int option, const char *value, const char *name)
{
    if (zmq_setsockopt(socket, option, value, strlen(value)) == 0)
        return ST_OK;
    return FAIL(ST_SYSTEM, "zeromq refused the socket option %s: %s", name, zmq_strerror(errno));
}
