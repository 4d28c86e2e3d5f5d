/* test_memory - "what the process frees of blocks up to 32 MB stays with it" (common/base/memory.h): messages that come and go
 * at every step cost no new pages. */
#include "common/base/memory.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "tests/lib/testing.h"

#define MESSAGES 4
#define STEPS 20
#define PAGE_BYTES 4096

static int64_t page_faults(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

/* New pages that the last of several steps need, all messages of which are there at the same time. */
static int64_t pages_of_steps(size_t bytes)
{
    int64_t before = 0;
    for (int step = 0; step < 2 * STEPS; step++) {
        void *message[MESSAGES];
        before = step == STEPS ? page_faults() : before;
        for (int m = 0; m < MESSAGES; m++)
            message[m] = mem_alloc(bytes, 1);
        for (int m = 0; m < MESSAGES; m++)
            mem_free(message[m]);
    }
    return page_faults() - before;
}

static void test_messages_keep_their_pages(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* their allocators are others */
#endif
    mem_keep_messages();
    for (size_t bytes = 1 << 18; bytes <= 1 << 23; bytes *= 2)
        assert_true(pages_of_steps(bytes) < (int64_t)(bytes / PAGE_BYTES)); /* one message's, of 80 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_keep_their_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
