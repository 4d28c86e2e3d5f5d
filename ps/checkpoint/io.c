#include "ps/checkpoint/io.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/memory.h"

#define NICE 10 /* training comes first */

typedef struct job {
    struct job *next;
    io_job_fn *run;
    void *context, *argument;
} job_t;

struct io {
    pthread_mutex_t lock;
    pthread_cond_t came;
    job_t *first, **last;
    int64_t waiting;
    status_t status;
    bool ending;
    bool threaded;
    pthread_t thread;
};

/* Run the first job; called and left with the lock. */
static void run_first(io_t *io)
{
    job_t *job = io->first;
    io->first = job->next;
    if (!io->first)
        io->last = &io->first;
    pthread_mutex_unlock(&io->lock);
    const status_t status = job->run(job->context, job->argument);
    mem_free(job);
    pthread_mutex_lock(&io->lock);
    if (io->status == ST_OK)
        io->status = status;
    io->waiting--;
}

static void *run_jobs(void *argument)
{
    io_t *io = argument;
    /* The priority is the thread's own on Linux. Without it the jobs are only less polite. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    pthread_mutex_lock(&io->lock);
    for (;;) {
        while (!io->first && !io->ending)
            pthread_cond_wait(&io->came, &io->lock);
        if (!io->first)
            break;
        run_first(io);
    }
    pthread_mutex_unlock(&io->lock);
    return NULL;
}

status_t io_create(bool threaded, io_t **out)
{
    io_t *io = MEM_NEW(io_t);
    pthread_mutex_init(&io->lock, NULL);
    pthread_cond_init(&io->came, NULL);
    io->last = &io->first;
    if (threaded && pthread_create(&io->thread, NULL, run_jobs, io) != 0) {
        io_destroy(&io);
        return FAIL(ST_SYSTEM, "cannot start a thread for checkpoints; the limit on threads is too low");
    }
    io->threaded = threaded;
    *out = io;
    return ST_OK;
}

void io_destroy(io_t **io)
{
    io_t *i = *io;
    if (!i)
        return;
    pthread_mutex_lock(&i->lock);
    i->ending = true;
    pthread_cond_signal(&i->came);
    pthread_mutex_unlock(&i->lock);
    if (i->threaded)
        pthread_join(i->thread, NULL);
    while (i->first)
        io_step(i);
    pthread_cond_destroy(&i->came);
    pthread_mutex_destroy(&i->lock);
    mem_free(i);
    *io = NULL;
}

void io_put(io_t *io, io_job_fn *run, void *context, void *argument)
{
    job_t *job = MEM_NEW(job_t);
    *job = (job_t){NULL, run, context, argument};
    pthread_mutex_lock(&io->lock);
    *io->last = job;
    io->last = &job->next;
    io->waiting++;
    pthread_cond_signal(&io->came);
    pthread_mutex_unlock(&io->lock);
}

int64_t io_waiting(io_t *io)
{
    pthread_mutex_lock(&io->lock);
    const int64_t waiting = io->waiting;
    pthread_mutex_unlock(&io->lock);
    return waiting;
}

status_t io_status(io_t *io)
{
    pthread_mutex_lock(&io->lock);
    const status_t status = io->status;
    pthread_mutex_unlock(&io->lock);
    return status;
}

void io_step(io_t *io)
{
    if (io->threaded)
        return;
    pthread_mutex_lock(&io->lock);
    if (io->first)
        run_first(io);
    pthread_mutex_unlock(&io->lock);
}
