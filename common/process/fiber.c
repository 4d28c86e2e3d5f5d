/* ucontext, whose switches cost two system calls for signal masks: a microsecond that simulations can afford. Stacks come from
 * mmap with a page below that must not be touched, and are kept for the next fiber. Sanitizers are told of every switch. */
#include "common/process/fiber.h"

#include <sys/mman.h>
#include <ucontext.h>

#include "common/base/memory.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

#define STACK_BYTES (512 << 10)
#define GUARD_BYTES 4096
#define STACKS_KEPT 64

struct fiber {
    ucontext_t own, resumer;
    char *stack;
    void (*run)(void *context);
    void *context;
    bool begun, ended;
    /* What the sanitizers know of both sides. */
    void *fake_own, *fake_resumer;
    const void *resumer_stack;
    size_t resumer_bytes;
};

static char *kept[STACKS_KEPT];
static int n_kept;

static char *stack_take(void)
{
    if (n_kept > 0)
        return kept[--n_kept];
    char *stack =
        mmap(NULL, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(stack != MAP_FAILED && mprotect(stack, GUARD_BYTES, PROT_NONE) == 0);
    return stack;
}

static void stack_give(char *stack)
{
    if (n_kept < STACKS_KEPT)
        kept[n_kept++] = stack;
    else
        munmap(stack, STACK_BYTES + GUARD_BYTES);
}

/* Called before and after every switch: `leaving` keeps the state of the side that is left. */
static void switch_begins(void **leaving, const void *stack, size_t bytes, void *thread_fiber)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(leaving, stack, bytes);
#endif
#ifdef __SANITIZE_THREAD__
    __tsan_switch_to_fiber(thread_fiber, 0);
#endif
    (void)leaving, (void)stack, (void)bytes, (void)thread_fiber;
}

static void switch_ended(void *arrived, const void **stack, size_t *bytes)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(arrived, stack, bytes);
#endif
    (void)arrived, (void)stack, (void)bytes;
}

/* makecontext passes ints only: the fiber's address comes in two halves. */
static void enter(unsigned high, unsigned low)
{
    fiber_t *fiber = (fiber_t *)((uintptr_t)high << 32 | (uintptr_t)low);
    switch_ended(NULL, &fiber->resumer_stack, &fiber->resumer_bytes);
    fiber->run(fiber->context);
    fiber->ended = true;
#ifdef __SANITIZE_THREAD__
    switch_begins(NULL, NULL, 0, fiber->fake_resumer);
#else
    switch_begins(NULL, fiber->resumer_stack, fiber->resumer_bytes, NULL);
#endif
    setcontext(&fiber->resumer);
}

fiber_t *fiber_create(void (*run)(void *context), void *context)
{
    fiber_t *fiber = MEM_NEW(fiber_t);
    fiber->run = run;
    fiber->context = context;
    fiber->stack = stack_take();
    ASSERT(getcontext(&fiber->own) == 0);
    fiber->own.uc_stack.ss_sp = fiber->stack + GUARD_BYTES;
    fiber->own.uc_stack.ss_size = STACK_BYTES;
    fiber->own.uc_link = NULL;
    makecontext(&fiber->own, (void (*)(void))enter, 2, (unsigned)((uintptr_t)fiber >> 32), (unsigned)(uintptr_t)fiber);
#ifdef __SANITIZE_THREAD__
    fiber->fake_own = __tsan_create_fiber(0);
#endif
    return fiber;
}

void fiber_destroy(fiber_t **out)
{
    fiber_t *fiber = *out;
    if (!fiber)
        return;
    ASSERT(fiber->ended || !fiber->begun);
#ifdef __SANITIZE_THREAD__
    __tsan_destroy_fiber(fiber->fake_own);
#endif
    stack_give(fiber->stack);
    mem_free(fiber);
    *out = NULL;
}

bool fiber_resume(fiber_t *fiber)
{
    ASSERT(!fiber->ended);
    fiber->begun = true;
#ifdef __SANITIZE_THREAD__
    fiber->fake_resumer = __tsan_get_current_fiber();
#endif
    void *fake = NULL;
    switch_begins(&fake, fiber->stack + GUARD_BYTES, STACK_BYTES, fiber->fake_own);
    ASSERT(swapcontext(&fiber->resumer, &fiber->own) == 0);
    switch_ended(fake, NULL, NULL);
    return !fiber->ended;
}

void fiber_yield(fiber_t *fiber)
{
#ifdef __SANITIZE_THREAD__
    switch_begins(NULL, NULL, 0, fiber->fake_resumer);
#else
    switch_begins(&fiber->fake_own, fiber->resumer_stack, fiber->resumer_bytes, NULL);
#endif
    ASSERT(swapcontext(&fiber->own, &fiber->resumer) == 0);
    switch_ended(fiber->fake_own, &fiber->resumer_stack, &fiber->resumer_bytes);
}
