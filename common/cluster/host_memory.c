/* A segment is
 *
 *     head | places of groups [ranks + 1] | buffer 0 | buffer 1 | ..
 *
 * and grows behind its end when a sum needs longer buffers: what others may still be reading stays where it is. Two buffers
 * take turns, so that a sum has two meetings and not three: who publishes the sum after the next has met all members twice
 * since, and they have long gathered this one.
 *
 * A group meets at the place of its first member: the last one to come sets `met` to the number of the meeting and wakes the
 * others, so each sleeps once at most, however many come one after the other. Places go by the number of members, because of
 * all groups that a rank is in - all workers of a run, those of its peer - no two have as many.
 *
 * Rejected: MPI's shared windows (making one is collective, and waits by spinning); files in /dev/shm (which outlive a killed
 * job); process_vm_readv, which is what MPI does for large messages on one host: a system call and a copy for each pair of
 * ranks. */
#include "common/cluster/host_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"

#define LINE 16    /* f32 of a cache line: slices end at one */
#define PIECE 2048 /* f32 that are summed at a time: a part of the tree stays in the first-level cache */
#define PAGE 4096

typedef struct rendezvous {
    _Atomic uint32_t arrived; /* at the first member: members that have come to any meeting, modulo 2^32 */
    _Atomic uint32_t met;     /* at the first member: the last meeting that all have come to */
    _Atomic uint32_t mine;    /* the last meeting that this rank has come to */
    _Atomic int32_t first;    /* 1 + the group's first rank; 0: no group has met here */
} rendezvous_t;

typedef struct segment_head {
    uint64_t mark;
    _Atomic int64_t bytes;  /* of the segment */
    _Atomic int64_t now_at; /* the buffer of the sum under way, in bytes from the start */
    rendezvous_t place[];
} segment_head_t;

typedef struct segment {
    segment_head_t *head; /* mapped; NULL: not reached */
    int64_t mapped;       /* bytes */
    int descriptor;       /* -1: none is kept */
} segment_t;

struct host_memory {
    int ranks;
    segment_t own;
    int file;                         /* the second one; -1: there is none */
    segment_t *others;                /* [ranks] by rank; its own, too, as others see it */
    int64_t buffers_at, buffer_bytes; /* of the two buffers in use, in the own segment */
    int turn;                         /* which of them was used last */
    int64_t total;                    /* of the sum under way */
    const float **at;                 /* [ranks] its parts, by member */
    float *own_at;
    float *tree; /* [TREE_LEVELS_MAX][PIECE] */
};

static bool map(segment_t *segment, int64_t bytes)
{
    void *at = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, segment->descriptor, 0);
    if (at == MAP_FAILED)
        return false;
    if (segment->head)
        munmap(segment->head, (size_t)segment->mapped);
    segment->head = at;
    segment->mapped = bytes;
    return true;
}

static void unmap(segment_t *segment)
{
    if (segment->head)
        munmap(segment->head, (size_t)segment->mapped);
    if (segment->descriptor >= 0)
        close(segment->descriptor);
    *segment = (segment_t){.descriptor = -1};
}

static int64_t head_bytes(int ranks)
{
    const int64_t bytes = (int64_t)sizeof(segment_head_t) + (ranks + 1) * (int64_t)sizeof(rendezvous_t);
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

host_memory_t *host_memory_create(int ranks)
{
    const int64_t bytes = head_bytes(ranks);
    segment_t own = {.descriptor = memfd_create("smelter", MFD_CLOEXEC)};
    uint64_t mark;
    if (own.descriptor < 0 || fchmod(own.descriptor, 0600) != 0 || ftruncate(own.descriptor, bytes) != 0 ||
        getrandom(&mark, sizeof mark, 0) != sizeof mark || !map(&own, bytes)) {
        unmap(&own);
        return NULL;
    }
    host_memory_t *memory = MEM_NEW(host_memory_t);
    memory->ranks = ranks;
    memory->own = own;
    memory->own.head->mark = mark;
    memory->file = memfd_create("smelter-shared", MFD_CLOEXEC);
    if (memory->file >= 0 && fchmod(memory->file, 0600) != 0) {
        close(memory->file);
        memory->file = -1;
    }
    memory->own.head->bytes = bytes;
    memory->others = MEM_ARRAY(segment_t, ranks);
    for (int r = 0; r < ranks; r++)
        memory->others[r].descriptor = -1;
    memory->at = MEM_ARRAY(const float *, ranks);
    memory->tree = MEM_ARRAY(float, TREE_LEVELS_MAX *PIECE);
    return memory;
}

void host_memory_destroy(host_memory_t **out)
{
    host_memory_t *memory = *out;
    if (!memory)
        return;
    for (int r = 0; r < memory->ranks; r++)
        unmap(&memory->others[r]);
    unmap(&memory->own);
    if (memory->file >= 0)
        close(memory->file);
    mem_free(memory->others);
    mem_free(memory->at);
    mem_free(memory->tree);
    mem_free(memory);
    *out = NULL;
}

host_card_t host_memory_card(const host_memory_t *memory)
{
    if (!memory)
        return (host_card_t){0};
    return (host_card_t){memory->own.head->mark, getpid(), memory->own.descriptor, memory->file};
}

static int open_of(const host_card_t *card, int descriptor)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", card->pid, descriptor);
    return open(path, O_RDWR | O_CLOEXEC);
}

int host_memory_file(const host_card_t *card)
{
    return card->file < 0 ? -1 : open_of(card, card->file);
}

static bool reach(host_memory_t *memory, int rank, const host_card_t *card)
{
    segment_t *segment = &memory->others[rank];
    if (segment->head)
        return true;
    segment->descriptor = open_of(card, card->descriptor);
    if (segment->descriptor >= 0 && map(segment, head_bytes(memory->ranks)) && segment->head->mark == card->mark)
        return true;
    unmap(segment);
    return false;
}

bool host_memory_reach(host_memory_t *memory, host_group_t group, const host_card_t *cards)
{
    if (!memory)
        return false;
    for (int m = 0; m < group.n; m++)
        if (!reach(memory, group.first + m, &cards[m]))
            return false;
    return true;
}

/* ---- meetings ------------------------------------------------------------------------------------------------------------ */

static long futex(_Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

static rendezvous_t *place_of(const host_memory_t *memory, host_group_t group, int member)
{
    return &memory->others[group.first + member].head->place[group.n];
}

void host_memory_arrive(host_memory_t *memory, host_group_t group)
{
    rendezvous_t *own = place_of(memory, group, group.me), *first = place_of(memory, group, 0);
    const int32_t group_first = group.first + 1;
    ASSERT(own->first == 0 || own->first == group_first);
    atomic_store(&own->first, group_first);
    const uint32_t meeting = atomic_fetch_add(&own->mine, 1) + 1;
    if (atomic_fetch_add(&first->arrived, 1) + 1 != meeting * (uint32_t)group.n)
        return;
    atomic_store(&first->met, meeting);
    futex(&first->met, FUTEX_WAKE, INT32_MAX, NULL);
}

bool host_memory_met(host_memory_t *memory, host_group_t group, int64_t spin_ns, int64_t timeout_ns)
{
    const uint32_t meeting = atomic_load(&place_of(memory, group, group.me)->mine);
    _Atomic uint32_t *met = &place_of(memory, group, 0)->met;
    for (const int64_t end_ns = spin_ns ? clock_now_ns() + spin_ns : 0; end_ns && clock_now_ns() < end_ns;)
        if (atomic_load(met) == meeting)
            return true;
    const uint32_t before = atomic_load(met);
    if (before == meeting)
        return true;
    /* Wakes may come for no reason: then it looks as if the time were over, and the caller comes again. */
    futex(met, FUTEX_WAIT, before, &(struct timespec){.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000});
    return atomic_load(met) == meeting;
}

bool host_memory_has_come(const host_memory_t *memory, host_group_t group, int member)
{
    return atomic_load(&place_of(memory, group, member)->mine) == atomic_load(&place_of(memory, group, group.me)->mine);
}

/* ---- sums ---------------------------------------------------------------------------------------------------------------- */

int64_t host_memory_slice(int64_t count, int member, int members)
{
    const int64_t first = (count + LINE - 1) / LINE * member / members * LINE;
    return first < count ? first : count;
}

/* Buffers for this many floats. */
static status_t grow(host_memory_t *memory, int64_t floats)
{
    const int64_t need = floats * (int64_t)sizeof(float), old = memory->own.head->bytes;
    if (need <= memory->buffer_bytes)
        return ST_OK;
    const int64_t each = (need + PAGE - 1) / PAGE * PAGE, bytes = old + 2 * each;
    if (ftruncate(memory->own.descriptor, bytes) != 0 || !map(&memory->own, bytes))
        return FAIL(ST_SYSTEM, "no memory of %" PRId64 " bytes to share with the ranks of this host: %s", bytes,
                    strerror(errno));
    memory->own.head->bytes = bytes;
    memory->buffers_at = old;
    memory->buffer_bytes = each;
    return ST_OK;
}

static float *floats_at(const segment_head_t *head, int64_t bytes)
{
    return (float *)((uintptr_t)head + (uintptr_t)bytes);
}

status_t host_memory_publish(host_memory_t *memory, host_group_t group, int parts, const tree_vector_t *vectors, int n)
{
    memory->total = 0;
    for (int i = 0; i < n; i++)
        memory->total += vectors[i].count;
    TRY(grow(memory, parts * memory->total));
    memory->turn = !memory->turn;
    const int64_t at = memory->buffers_at + memory->turn * memory->buffer_bytes;
    float *to = memory->own_at = floats_at(memory->own.head, at);
    memory->own.head->now_at = at;
    for (int p = 0; p < parts; p++)
        for (int i = 0; i < n; i++) {
            memcpy(to, vectors[i].values + p * vectors[i].count, (size_t)vectors[i].count * sizeof *to);
            to += vectors[i].count;
        }
    host_memory_arrive(memory, group);
    return ST_OK;
}

/* Where every member has put its parts. */
static status_t find_parts(host_memory_t *memory, host_group_t group)
{
    for (int m = 0; m < group.n; m++) {
        segment_t *segment = &memory->others[group.first + m];
        const int64_t bytes = segment->head->bytes;
        if (bytes > segment->mapped && !map(segment, bytes))
            return FAIL(ST_SYSTEM, "memory of a rank of this host cannot be read: %s", strerror(errno));
        memory->at[m] = floats_at(segment->head, segment->head->now_at);
    }
    return ST_OK;
}

/* What a member's slice has of a vector that begins with element `from` of all. */
typedef struct range_in_vector {
    int64_t first, end;
} range_in_vector_t;

static range_in_vector_t of_member(const host_memory_t *memory, host_group_t group, int member, int64_t from, int64_t count)
{
    const int64_t first = host_memory_slice(memory->total, member, group.n) - from,
                  end = host_memory_slice(memory->total, member + 1, group.n) - from;
    return (range_in_vector_t){first > 0 ? first : 0, end < count ? end : count};
}

status_t host_memory_reduce(host_memory_t *memory, host_group_t group, const tree_shares_t *shares,
                            const tree_vector_t *vectors, int n, tree_result_fn *result, void *context)
{
    TRY(find_parts(memory, group));
    const int64_t end = host_memory_slice(memory->total, group.me + 1, group.n);
    for (int64_t i = host_memory_slice(memory->total, group.me, group.n); i < end; i += PIECE) {
        tree_stack_t stack;
        tree_start(&stack, memory->tree, end - i < PIECE ? end - i : PIECE);
        for (int m = 0; m < group.n; m++)
            for (int32_t p = shares->first[m]; p < shares->first[m + 1]; p++)
                tree_push(&stack, shares->part[p], memory->at[m] + (p - shares->first[m]) * memory->total + i);
        tree_finish(&stack, memory->own_at + i);
    }
    int64_t from = 0;
    for (int i = 0; i < n && result; from += vectors[i++].count) {
        const range_in_vector_t r = of_member(memory, group, group.me, from, vectors[i].count);
        if (r.first < r.end)
            result(context, i, r.first, r.end - r.first, memory->own_at + from + r.first);
    }
    host_memory_arrive(memory, group);
    return ST_OK;
}

void host_memory_gather(const host_memory_t *memory, host_group_t group, const tree_vector_t *vectors, int n)
{
    int64_t from = 0;
    for (int i = 0; i < n; from += vectors[i++].count)
        for (int m = 0; m < group.n; m++) {
            const range_in_vector_t r = of_member(memory, group, m, from, vectors[i].count);
            float *to = vectors[i].result ? vectors[i].result : vectors[i].values;
            if (r.first < r.end)
                memcpy(to + r.first, memory->at[m] + from + r.first, (size_t)(r.end - r.first) * sizeof *to);
        }
}
