/* The file is
 *
 *     head | slots [blocks] | places [blocks][stride] | a page that nobody uses
 *
 * and nearly all of it a hole: a place has memory from the moment its block is to be written until the last holder gives it
 * back. Zeros are a good beginning, so nobody has to be the first. A slot's state is its kind and the number of holders,
 * changed in one step:
 *
 *     EMPTY -> BUSY          by the reader that will fill it, or not
 *     BUSY  -> READY 1       it is written
 *     READY n -> READY n+1   taken;  READY n -> READY n-1 given back
 *     READY 0 -> BUSY        by the one who gave it back last, who frees the memory
 *     BUSY  -> EMPTY
 *
 * Who dies while a slot is BUSY leaves it so, and the others read that block for themselves; holders that die leave their
 * blocks there. Rejected: an allocator in shared memory, which a dead process may leave locked or torn; blocks that stay when
 * nobody holds them, which would need an order of eviction that all share. */
#include "common/data/shared_blocks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/base/memory.h"

#define PAGE 4096
#define KIND_EMPTY 0u
#define KIND_BUSY (1u << 30)
#define KIND_READY (2u << 30)
#define KIND_MASK (3u << 30)
#define READERS_MASK UINT64_C(0xffff)
#define LOOKS 20 /* at a block that another reader works on, before it is given up; */
#define LOOK_NS 10000000

typedef struct shared_slot {
    _Atomic uint32_t state;
    _Atomic int32_t owner; /* process that works on it while it is BUSY */
    uint64_t meaning, values;
    size_t bytes; /* of memory that its place has */
} shared_slot_t;

typedef struct shared_head {  /* far shorter than its page */
    _Atomic uint64_t readers; /* the identity of what they share, and in READERS_MASK how many they are */
    _Atomic int64_t bytes;
} shared_head_t;

struct shared_blocks {
    int descriptor;
    shared_head_t *head;
    shared_slot_t *slots;
    int64_t blocks, places_at, file_bytes;
    size_t stride;
};

static size_t whole_pages(size_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

static long futex(_Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

/* One reader more of what all others read, if that is the same. */
static bool join(shared_head_t *head, uint64_t identity)
{
    uint64_t before = atomic_load(&head->readers);
    do {
        if ((before & READERS_MASK) && (before & ~READERS_MASK) != (identity & ~READERS_MASK))
            return false;
    } while (
        !atomic_compare_exchange_weak(&head->readers, &before, (identity & ~READERS_MASK) | ((before & READERS_MASK) + 1)));
    return true;
}

/* Map the file, which is made long enough first, by its last byte, which nobody uses; whoever comes never makes it shorter. */
static void *map(int descriptor, int64_t bytes)
{
    if (pwrite(descriptor, "", 1, bytes - 1) != 1)
        return NULL;
    void *at = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, 0);
    return at == MAP_FAILED ? NULL : at;
}

shared_blocks_t *shared_blocks_open(int descriptor, uint64_t identity, int64_t blocks, size_t most_bytes)
{
    shared_head_t *head = map(descriptor, PAGE), *all = NULL;
    const bool is_in = head && join(head, identity);
    const size_t stride = whole_pages(most_bytes);
    const int64_t places_at = PAGE + (int64_t)whole_pages((size_t)blocks * sizeof(shared_slot_t));
    const int64_t file_bytes = places_at + blocks * (int64_t)stride + PAGE;
    if (is_in)
        all = map(descriptor, file_bytes);
    if (is_in && !all)
        atomic_fetch_sub(&head->readers, 1);
    if (head)
        munmap(head, PAGE);
    if (!all) {
        close(descriptor);
        return NULL;
    }
    shared_blocks_t *shared = MEM_NEW(shared_blocks_t);
    *shared =
        (shared_blocks_t){descriptor, all, (shared_slot_t *)((uintptr_t)all + PAGE), blocks, places_at, file_bytes, stride};
    return shared;
}

void shared_blocks_close(shared_blocks_t **out)
{
    shared_blocks_t *shared = *out;
    if (!shared)
        return;
    atomic_fetch_sub(&shared->head->readers, 1);
    munmap(shared->head, (size_t)shared->file_bytes);
    close(shared->descriptor);
    mem_free(shared);
    *out = NULL;
}

static int64_t place_of(const shared_blocks_t *shared, int64_t number)
{
    return shared->places_at + number * (int64_t)shared->stride;
}

static void *address_of(const shared_blocks_t *shared, int64_t number)
{
    return (void *)((uintptr_t)shared->head + (uintptr_t)place_of(shared, number));
}

static shared_slot_t *slot_of(const shared_blocks_t *shared, int64_t number)
{
    ASSERT(number >= 0 && number < shared->blocks);
    return &shared->slots[number];
}

static void publish(shared_slot_t *slot, uint32_t state)
{
    atomic_store(&slot->state, state);
    futex(&slot->state, FUTEX_WAKE, INT32_MAX, NULL);
}

/* Wait until the state is another, for a moment; false: its owner is dead. */
static bool look_again(shared_slot_t *slot, uint32_t state)
{
    const int32_t owner = atomic_load(&slot->owner);
    if (owner > 0 && kill(owner, 0) != 0 && errno == ESRCH)
        return false;
    futex(&slot->state, FUTEX_WAIT, state, &(struct timespec){.tv_nsec = LOOK_NS});
    return true;
}

shared_take_t shared_blocks_take(shared_blocks_t *shared, int64_t number, uint64_t meaning, void **at, uint64_t *values)
{
    shared_slot_t *slot = slot_of(shared, number);
    for (int looks = 0; looks < LOOKS;) {
        uint32_t state = atomic_load(&slot->state);
        switch (state & KIND_MASK) {
        case KIND_EMPTY:
            if (!atomic_compare_exchange_strong(&slot->state, &state, KIND_BUSY))
                break;
            atomic_store(&slot->owner, getpid());
            return SHARED_TO_FILL;
        case KIND_READY:
            if (!atomic_compare_exchange_strong(&slot->state, &state, state + 1))
                break;
            if (slot->meaning != meaning) {
                shared_blocks_give(shared, number);
                return SHARED_NONE;
            }
            *at = address_of(shared, number);
            *values = slot->values;
            return SHARED_READY;
        default:
            looks++;
            if (!look_again(slot, state))
                return SHARED_NONE;
        }
    }
    return SHARED_NONE;
}

static void free_place(shared_blocks_t *shared, int64_t number)
{
    shared_slot_t *slot = slot_of(shared, number);
    if (slot->bytes > 0)
        fallocate(shared->descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, place_of(shared, number),
                  (off_t)shared->stride);
    atomic_fetch_sub(&shared->head->bytes, (int64_t)slot->bytes);
    slot->bytes = 0;
    publish(slot, KIND_EMPTY);
}

void *shared_blocks_room(shared_blocks_t *shared, int64_t number, size_t bytes)
{
    shared_slot_t *slot = slot_of(shared, number);
    ASSERT(atomic_load(&slot->state) == KIND_BUSY && slot->bytes == 0);
    if (bytes == 0 || bytes > shared->stride)
        return NULL;
    /* All of it now: a page that cannot be had when it is written would end the process. */
    slot->bytes = whole_pages(bytes);
    atomic_fetch_add(&shared->head->bytes, (int64_t)slot->bytes);
    return fallocate(shared->descriptor, 0, place_of(shared, number), (off_t)slot->bytes) == 0 ? address_of(shared, number)
                                                                                               : NULL;
}

void shared_blocks_filled(shared_blocks_t *shared, int64_t number, uint64_t meaning, uint64_t values)
{
    shared_slot_t *slot = slot_of(shared, number);
    ASSERT(atomic_load(&slot->state) == KIND_BUSY && slot->bytes > 0);
    slot->meaning = meaning;
    slot->values = values;
    publish(slot, KIND_READY | 1);
}

void shared_blocks_give(shared_blocks_t *shared, int64_t number)
{
    shared_slot_t *slot = slot_of(shared, number);
    if (atomic_load(&slot->state) != KIND_BUSY) {
        const uint32_t before = atomic_fetch_sub(&slot->state, 1);
        ASSERT((before & KIND_MASK) == KIND_READY && before != KIND_READY);
        uint32_t unheld = KIND_READY;
        if (!atomic_compare_exchange_strong(&slot->state, &unheld, KIND_BUSY))
            return;
        atomic_store(&slot->owner, getpid());
    }
    free_place(shared, number);
}

int64_t shared_blocks_bytes(const shared_blocks_t *shared)
{
    return atomic_load(&shared->head->bytes);
}
