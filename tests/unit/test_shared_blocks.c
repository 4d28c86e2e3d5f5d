/* "one of them decodes a block, the others find it there": readers that are processes and readers in one process, some of which
 * die, stop or come with another dataset. */
#include "common/data/shared_blocks.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "tests/lib/testing.h"

#define BLOCKS 6
#define BYTES 10000
#define READERS 4
#define TAKES 20000

static int make_file(void)
{
    const int file = memfd_create("test", MFD_CLOEXEC);
    assert_true(file >= 0);
    return file;
}

static shared_blocks_t *join(int file, uint64_t identity)
{
    return shared_blocks_open(dup(file), identity << 16, BLOCKS, BYTES);
}

static shared_take_t take(shared_blocks_t *shared, int64_t number, unsigned char **at)
{
    uint64_t values = 0;
    void *room = NULL;
    const shared_take_t taken = shared_blocks_take(shared, number, 7, &room, &values);
    *at = room;
    if (taken == SHARED_READY)
        assert_int_equal(values, number + 100);
    return taken;
}

/* Whether the reader had to write it. */
static bool take_or_fill(shared_blocks_t *shared, int64_t number, unsigned char **at)
{
    if (take(shared, number, at) == SHARED_READY)
        return false;
    *at = shared_blocks_room(shared, number, BYTES);
    assert_non_null(*at);
    memset(*at, (int)number + 1, BYTES);
    shared_blocks_filled(shared, number, 7, (uint64_t)number + 100);
    return true;
}

static int64_t memory_of(int file)
{
    struct stat st;
    assert_int_equal(fstat(file, &st), 0);
    return st.st_blocks * 512;
}

static void test_one_fills_and_others_find(void **state)
{
    (void)state;
    const int file = make_file();
    shared_blocks_t *a = join(file, 1), *b = join(file, 1);
    unsigned char *at, *other;
    assert_null(join(file, 2)); /* "others share another dataset just now" */
    assert_true(take_or_fill(a, 3, &at));
    const int64_t memory = memory_of(file);
    assert_int_equal(shared_blocks_bytes(b), 12288);
    assert_false(take_or_fill(b, 3, &other));
    assert_ptr_not_equal(at, other);
    assert_memory_equal(at, other, BYTES);
    shared_blocks_give(a, 3); /* "stays until it is given back" by all */
    assert_int_equal(other[BYTES - 1], 4);
    void *room;
    uint64_t values;
    assert_int_equal(shared_blocks_take(a, 3, 8, &room, &values), SHARED_NONE); /* of another meaning */
    shared_blocks_give(b, 3);
    assert_int_equal(shared_blocks_bytes(b), 0);
    assert_true(memory_of(file) < memory); /* "the last one to do so frees the memory" */
    assert_int_equal(take(b, 3, &at), SHARED_TO_FILL);
    assert_null(shared_blocks_room(b, 3, 3 * BYTES)); /* too large */
    shared_blocks_give(b, 3);                         /* "where it cannot" */
    assert_true(take_or_fill(b, 3, &at));
    shared_blocks_give(b, 3);
    shared_blocks_close(&a);
    shared_blocks_close(&b);
    a = shared_blocks_open(dup(file), 2 << 16, 1000, BYTES / 3); /* when they are gone another dataset may come */
    assert_non_null(a);
    for (int64_t i = 0; i < 1000; i++)
        assert_int_equal(take(a, i, &at), SHARED_TO_FILL);
    for (int64_t i = 0; i < 1000; i++)
        shared_blocks_give(a, i);
    shared_blocks_close(&a);
    assert_null(shared_blocks_open(-1, 1, BLOCKS, BYTES));
    close(file);
}

/* "A reader may die at any moment: nobody waits for another for longer than a moment" */
static void test_who_fills_dies_or_stops(void **state)
{
    (void)state;
    const int file = make_file();
    shared_blocks_t *shared = join(file, 1), *slow = join(file, 1);
    unsigned char *at;
    const pid_t child = fork();
    if (child == 0)
        _exit(take(join(file, 1), 0, &at) == SHARED_TO_FILL ? 0 : 1);
    int end = 1;
    assert_int_equal(waitpid(child, &end, 0), child);
    assert_int_equal(end, 0);
    const int64_t start_ns = clock_now_ns();
    assert_int_equal(take(shared, 0, &at), SHARED_NONE);
    assert_true(clock_now_ns() - start_ns < 50000000);
    assert_int_equal(take(slow, 1, &at), SHARED_TO_FILL);
    assert_int_equal(take(shared, 1, &at), SHARED_NONE);
    assert_true(clock_now_ns() - start_ns < 5000000000);
    shared_blocks_give(slow, 1);
    assert_true(take_or_fill(shared, 1, &at));
    shared_blocks_give(shared, 1);
    shared_blocks_close(&slow);
    shared_blocks_close(&shared);
    close(file);
}

/* Take, look at and give back blocks at random; 0 where each was what it should be. */
static int read_blocks(int file, uint64_t seed)
{
    shared_blocks_t *shared = join(file, 1);
    bool good = shared != NULL;
    for (uint64_t i = 0; i < TAKES && good; i++) {
        const int64_t number = (int64_t)(rng_u64(seed, 0, i) % BLOCKS);
        unsigned char *at;
        uint64_t values = 0;
        void *room = NULL;
        const shared_take_t taken = shared_blocks_take(shared, number, 7, &room, &values);
        if (taken == SHARED_NONE)
            continue;
        if (taken == SHARED_TO_FILL) {
            room = shared_blocks_room(shared, number, BYTES);
            memset(room, (int)number + 1, BYTES);
            shared_blocks_filled(shared, number, 7, 0);
        }
        at = room;
        good = at[0] == number + 1 && at[BYTES / 2] == number + 1 && at[BYTES - 1] == number + 1;
        shared_blocks_give(shared, number);
    }
    return good ? 0 : 1;
}

/* "what is half written is never given out" */
static void test_many_readers_of_which_one_is_killed(void **state)
{
    (void)state;
    const int file = make_file();
    pid_t child[READERS];
    for (int r = 0; r < READERS; r++) {
        child[r] = fork();
        if (child[r] == 0)
            _exit(read_blocks(file, (uint64_t)r));
    }
    usleep(3000);
    kill(child[0], SIGKILL);
    for (int r = 0; r < READERS; r++) {
        int end = 1;
        assert_int_equal(waitpid(child[r], &end, 0), child[r]);
        if (r > 0)
            assert_int_equal(end, 0);
    }
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_fills_and_others_find),
        cmocka_unit_test(test_who_fills_dies_or_stops),
        cmocka_unit_test(test_many_readers_of_which_one_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
