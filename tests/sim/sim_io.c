#include "tests/sim/sim_io.h"

#include "common/base/memory.h"

#define LOOK_NS 100000 /* between two looks for the end of the last job */

typedef struct job {
    struct job *next;
    io_job_fn *run;
    void *context, *argument;
} job_t;

struct io {
    job_t *first, **last;
    int64_t waiting;
    status_t status;
    bool running; /* the task is there: it ends when it has nothing to do */
};

static net_sim_world_t *world;

void sim_io_enter(net_sim_world_t *now)
{
    world = now;
}

static void run_jobs(void *context)
{
    io_t *io = context;
    while (io->first) {
        job_t *job = io->first;
        io->first = job->next;
        if (!io->first)
            io->last = &io->first;
        const status_t status = job->run(job->context, job->argument);
        mem_free(job);
        if (io->status == ST_OK)
            io->status = status;
        io->waiting--;
    }
    io->running = false;
}

status_t io_create(bool threaded, io_t **out)
{
    io_t *io = MEM_NEW(io_t);
    ASSERT(threaded && world);
    io->last = &io->first;
    *out = io;
    return ST_OK;
}

/* The caller's node may be dead, and then does not sleep; the jobs' task does. */
void io_destroy(io_t **out)
{
    io_t *io = *out;
    if (!io)
        return;
    while (io->running)
        net_sim_wait(world, LOOK_NS);
    mem_free(io);
    *out = NULL;
}

void io_put(io_t *io, io_job_fn *run, void *context, void *argument)
{
    job_t *job = MEM_NEW(job_t);
    *job = (job_t){NULL, run, context, argument};
    *io->last = job;
    io->last = &job->next;
    io->waiting++;
    if (!io->running)
        net_sim_spawn(world, NULL, run_jobs, io);
    io->running = true;
}

int64_t io_waiting(io_t *io)
{
    return io->waiting;
}

status_t io_status(io_t *io)
{
    return io->status;
}

void io_step(io_t *io)
{
    (void)io;
}
