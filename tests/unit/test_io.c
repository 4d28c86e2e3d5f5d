/* Proves of io.h: "every job is run, exactly once", in the order of putting, also where one failed, also at the end; a job may
 * put another; the first failure stays; with a thread and without. */
#include "ps/checkpoint/io.h"

#include <string.h>
#include <unistd.h>

#include "tests/lib/testing.h"

#define JOBS 200

typedef struct record {
    io_t *io;
    int done[JOBS + 10], n;
    int first_bad, again; /* jobs from first_bad on fail, each in its own way; as many more are put by jobs */
} record_t;

static status_t run(void *context, void *argument)
{
    record_t *record = context;
    const int number = (int)(intptr_t)argument;
    record->done[record->n++] = number;
    if (record->again > 0) {
        record->again--;
        io_put(record->io, run, record, (void *)(intptr_t)(JOBS + record->again));
    }
    if (number < record->first_bad)
        return ST_OK;
    return number == record->first_bad ? ST_SYSTEM : ST_CORRUPT;
}

static void wait_for_all(io_t *io, bool threaded)
{
    for (int turn = 0; io_waiting(io) > 0; turn++) {
        assert_true(turn < 100000);
        if (threaded)
            usleep(100);
        else
            io_step(io);
    }
}

static void test_jobs_are_run_once_in_order(void **state)
{
    (void)state;
    for (int threaded = 0; threaded <= 1; threaded++) {
        record_t record = {.first_bad = JOBS * 2, .again = 3};
        assert_int_equal(io_create(threaded, &record.io), ST_OK);
        for (intptr_t i = 0; i < JOBS; i++)
            io_put(record.io, run, &record, (void *)i);
        wait_for_all(record.io, threaded);
        assert_int_equal(record.n, JOBS + 3);
        for (int i = 0, own = 0; i < record.n; i++) /* those that jobs put come between or behind */
            if (record.done[i] < JOBS)
                assert_int_equal(record.done[i], own++);
        assert_int_equal(io_status(record.io), ST_OK);
        io_step(record.io); /* nothing to do */
        io_destroy(&record.io);
        assert_null(record.io);
    }
}

static void test_the_first_failure_stays(void **state)
{
    (void)state;
    for (int threaded = 0; threaded <= 1; threaded++) {
        record_t record = {.first_bad = 7};
        assert_int_equal(io_create(threaded, &record.io), ST_OK);
        for (intptr_t i = 0; i < 20; i++)
            io_put(record.io, run, &record, (void *)i);
        wait_for_all(record.io, threaded);
        assert_int_equal(record.n, 20);
        assert_int_equal(io_status(record.io), ST_SYSTEM);
        io_destroy(&record.io);
    }
}

static void test_the_end_waits_for_all(void **state)
{
    (void)state;
    for (int threaded = 0; threaded <= 1; threaded++) {
        record_t record = {.first_bad = JOBS * 2};
        assert_int_equal(io_create(threaded, &record.io), ST_OK);
        for (intptr_t i = 0; i < JOBS; i++)
            io_put(record.io, run, &record, (void *)i);
        io_destroy(&record.io);
        assert_int_equal(record.n, JOBS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobs_are_run_once_in_order),
        cmocka_unit_test(test_the_first_failure_stays),
        cmocka_unit_test(test_the_end_waits_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
