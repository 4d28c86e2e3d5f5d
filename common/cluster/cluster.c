/* cluster.c - MPI for launch, roster, the dense all-reduce and the exchange of dense parameters.
 *
 * MPI's own waits spin, which on a machine with more ranks than cores takes the core from the rank that all others wait for. So
 * every wait here is a nonblocking call, tested for a moment and then between short sleeps, with a deadline.
 *
 * The tree sum of members that are on one host is made in memory that they share (host_memory.h), and they sleep until the
 * last one has come. Across hosts it goes by MPI. Where members and their parts make a whole tree, that is recursive
 * halving, nearest partner first: in round r a member exchanges with member ^ 2^r the half of what it still sums that the
 * partner keeps, so that in the end it has the sum of 1 / n of the vector, by the tree; and the same backwards, to hand on
 * the results. Pieces of CHUNK go one after the other, WINDOW of them under way. With other numbers of members or parts each
 * member adds up one slice of the vector, which it gets from all others part by part, and hands on the result.
 *
 * Rejected: MPI_Allreduce (its order of summation is the library's choice and depends on sizes and topology); a ring (an order
 * that depends on the member count); recursive doubling (half as many rounds, but log2(n) vectors instead of two);
 * MPI_Comm_split for groups (blocks while spinning, and ranks with tags suffice). */
#include "common/cluster/cluster.h"

#include <mpi.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/patience.h"
#include "common/cluster/host_memory.h"
#include "common/cluster/launch.h"
#include "common/process/float_mode.h"
#include "common/process/time_limit.h"

enum { TAG_GATHER = 1, TAG_TREE = 2, TAG_SHARE = 3 };

#define CHUNK 15360 /* f32 of a tree-sum piece: 60 KiB leave at once; from 64 on tcp asks the receiver first, one delay more */
#define WINDOW 16   /* pieces: fill tcp's pipe */
#define SHARE_PIECE (1 << 24) /* f32 handed on at once: 64 MiB, far below what MPI counts */
#define SPIN_NS 20000
#define SLEEP_NS_MIN 20000
#define SLEEP_NS_MAX 200000
#define LOOK_NS 5000000       /* in a meeting: between two looks for messages */
#define MEETING_SPIN_NS 40000 /* a sleep and a wake-up cost about as much */
#define TIMER_SLACK_NS 1000   /* the kernel's default of 50 us would double a short sleep */

/* How a group's sums are made. */
typedef enum sum_way { WAY_UNKNOWN, WAY_MEMORY, WAY_MPI } sum_way_t;

/* While ranks come together, nothing hurries: of many ranks most would do nothing but look, and take the cores from those that
 * the others wait for. So sleeps grow with the number of ranks; MPI's own, 0.1 ms long, by the slack that the kernel may add.
 * */
#define TOGETHER_NS_PER_RANK 50000
#define TOGETHER_NS_MOST 10000000

struct cluster {
    int rank, size;
    int64_t sleep_ns_most; /* of a wait */
    double deadline_s;
    bool broken;                       /* a wait has failed */
    char (*hosts)[CLUSTER_HOST_BYTES]; /* [size], empty until gathered */
    int *order;                        /* [size] MPI's number of each rank; NULL: the same */
    int group_first, group_size;
    status_t (*poll)(void *context);
    void *poll_context;
    float *scratch; /* [WINDOW][CHUNK] */

    host_memory_t *memory; /* NULL: the system has none */
    host_card_t *cards;    /* [size] */
    sum_way_t *ways;       /* [size + 1] by members of a group: this rank is in one group of a number of members at most */
    int64_t spin_ns;       /* before it sleeps in a meeting */
    int64_t received;      /* bytes */
};

bool cluster_is_launched(void)
{
    return launch_read().kind != LAUNCH_NONE;
}

static status_t mpi_failed(const char *what, int code)
{
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS)
        snprintf(text, sizeof text, "unknown MPI error %d", code);
    return FAIL(ST_PEER, "%s failed: %s", what, text);
}

#define TRY_MPI(what, call) \
    do { \
        int mpi_code_ = (call); \
        if (mpi_code_ != MPI_SUCCESS) \
            return mpi_failed((what), mpi_code_); \
    } while (0)

/* A rest between two looks: none for a moment, then growing sleeps. */
typedef struct rest {
    int64_t start_ns, sleep_ns, most_ns;
} rest_t;

static int64_t together_ns(int ranks)
{
    const int64_t wanted = (int64_t)TOGETHER_NS_PER_RANK * ranks, most = wanted < TOGETHER_NS_MOST ? wanted : TOGETHER_NS_MOST;
    return most > SLEEP_NS_MAX ? most : SLEEP_NS_MAX;
}

/* Returns whether there was time to sleep. */
static bool rest_a_little(rest_t *rest)
{
    int64_t now = clock_now_ns();
    if (rest->start_ns == 0) {
        rest->start_ns = now;
        rest->sleep_ns = SLEEP_NS_MIN;
        return false;
    }
    if (now - rest->start_ns < SPIN_NS)
        return false;
    nanosleep(&(struct timespec){.tv_nsec = rest->sleep_ns}, NULL);
    if (rest->sleep_ns < rest->most_ns)
        rest->sleep_ns += rest->sleep_ns / 4;
    return true;
}

/* The number that MPI, and the launcher, know a rank by. */
static int of_mpi(const cluster_t *cluster, int rank)
{
    return cluster->order ? cluster->order[rank] : rank;
}

/* The rank's name to the end of a list that has n. */
static void add_missing(const cluster_t *cluster, int rank, int n, char *text, size_t size)
{
    const char *host = cluster->hosts[rank];
    const size_t used = strlen(text);
    snprintf(text + used, size - used, "%srank %d%s%s", n ? ", " : "", of_mpi(cluster, rank), host[0] ? " on " : "", host);
}

/* missing - the deadline passed: say which of the n requests, each to or from ranks[i], are not done. */
static status_t missing(const cluster_t *cluster, const char *what, MPI_Request *requests, const int *ranks, int n,
                        double waited_s)
{
    char who[512] = "";
    int n_missing = 0;
    for (int i = 0; i < n; i++) {
        int done = 0;
        if (requests[i] == MPI_REQUEST_NULL || (MPI_Test(&requests[i], &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done))
            continue;
        add_missing(cluster, ranks[i], n_missing++, who, sizeof who);
    }
    return FAIL(ST_TIMEOUT, "%s: waiting for %d of %d: %s, %.1f s", what, n_missing, n, who, waited_s);
}

/* try_wait_all - until all n requests are done. After a failure requests stay open, and only cluster_abort is left. */
static status_t try_wait_all(const cluster_t *cluster, const char *what, MPI_Request *requests, const int *ranks, int n)
{
    const double patience_s = cluster->poll ? 2 * cluster->deadline_s : cluster->deadline_s;
    rest_t rest = {.most_ns = cluster->sleep_ns_most};
    patience_t waited = patience_start(clock_now_ns());
    for (;;) {
        int done = 0;
        TRY_MPI(what, MPI_Testall(n, requests, &done, MPI_STATUSES_IGNORE));
        if (done)
            return ST_OK;
        if (rest_a_little(&rest) && cluster->poll)
            TRY(cluster->poll(cluster->poll_context));
        if ((double)patience_spend(&waited, clock_now_ns()) > patience_s * 1e9)
            return missing(cluster, what, requests, ranks, n, patience_s);
    }
}

static status_t wait_all(cluster_t *cluster, const char *what, MPI_Request *requests, const int *ranks, int n)
{
    status_t status = try_wait_all(cluster, what, requests, ranks, n);
    cluster->broken = cluster->broken || status != ST_OK;
    return status;
}

/* gather_named - blocks of all ranks to rank 0 one by one, so that it can name who is missing, and from there to everyone.
 * Where it fails, MPI may still hold the requests: they are not freed. */
static status_t gather_named(cluster_t *cluster, const char *what, const void *mine, int64_t bytes, void *all)
{
    ASSERT(bytes >= 0 && bytes < INT32_MAX / cluster->size);
    int n = cluster->rank == 0 ? cluster->size : 1;
    MPI_Request *requests = MEM_ARRAY(MPI_Request, n);
    int *ranks = MEM_ARRAY(int, n);
    int code = MPI_SUCCESS;
    cluster->sleep_ns_most = together_ns(cluster->size);
    if (cluster->rank == 0) {
        if (bytes > 0)
            memcpy(all, mine, (size_t)bytes);
        requests[0] = MPI_REQUEST_NULL;
        for (int r = 1; r < n && code == MPI_SUCCESS; r++) {
            ranks[r] = r;
            code = MPI_Irecv((char *)all + r * bytes, (int)bytes, MPI_BYTE, of_mpi(cluster, r), TAG_GATHER, MPI_COMM_WORLD,
                             &requests[r]);
        }
    } else {
        code = MPI_Isend(mine, (int)bytes, MPI_BYTE, 0, TAG_GATHER, MPI_COMM_WORLD, &requests[0]);
    }
    if (code != MPI_SUCCESS)
        return mpi_failed(what, code);
    TRY(wait_all(cluster, what, requests, ranks, n));
    code = MPI_Ibcast(all, (int)(bytes * cluster->size), MPI_BYTE, 0, MPI_COMM_WORLD, &requests[0]);
    TRY(code == MPI_SUCCESS ? wait_all(cluster, what, requests, ranks, 1) : mpi_failed(what, code));
    cluster->sleep_ns_most = SLEEP_NS_MAX;
    mem_free(requests);
    mem_free(ranks);
    return ST_OK;
}

static void abort_hook(void)
{
    cluster_abort(1);
}

/* begin_mpi - MPI_Init returns when all ranks have come to it. Rank 0 comes last, because it looks for mistakes and makes
 * missing datasets first; so its patience bounds that of all. Where a smelter has started the ranks there is nothing to
 * make. */
static status_t begin_mpi(const launch_t *launch, double start_most_s, int *provided)
{
    char text[160];
    snprintf(text, sizeof text,
             "the ranks of the job have not found each other within %.0f s (cluster.start_deadline_s); have all been started?",
             start_most_s);
    time_limit_t *limit = launch->rank <= 0 ? time_limit_start(start_most_s, text) : NULL;
    prctl(PR_SET_TIMERSLACK, together_ns(launch->size), 0, 0, 0);
    const int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, provided);
    time_limit_stop(&limit);
    TRY_MPI("MPI_Init_thread", code);
    float_mode_set(); /* whatever its plug-ins did */
    int world = 0;
    MPI_Comm_size(MPI_COMM_WORLD, &world);
    status_t status = launch_check_world(launch, world);
    if (status != ST_OK) {
        launch_let_first_speak(launch);
        MPI_Finalize();
    }
    return status;
}

/* gather_roster - host and card of every rank, and whether this host has cores for all of its ranks. */
static status_t gather_roster(cluster_t *cluster)
{
    typedef struct rank_entry {
        char host[CLUSTER_HOST_BYTES];
        host_card_t card;
    } rank_entry_t;
    rank_entry_t mine = {.card = host_memory_card(cluster->memory)};
    if (gethostname(mine.host, sizeof mine.host) != 0)
        snprintf(mine.host, sizeof mine.host, "unknown");
    mine.host[sizeof mine.host - 1] = 0;
    /* Until the gather is over, the roster that messages quote stays as it is. */
    rank_entry_t *all = MEM_ARRAY(rank_entry_t, cluster->size);
    TRY(gather_named(cluster, "roster of the job", &mine, sizeof mine, all));
    int here = 0;
    for (int r = 0; r < cluster->size; r++) {
        memcpy(cluster->hosts[r], all[r].host, sizeof all[r].host);
        cluster->cards[r] = all[r].card;
        here += strcmp(all[r].host, mine.host) == 0;
    }
    mem_free(all);
    cpu_set_t cores;
    cluster->spin_ns = sched_getaffinity(0, sizeof cores, &cores) == 0 && here <= CPU_COUNT(&cores) ? MEETING_SPIN_NS : 0;
    return ST_OK;
}

status_t cluster_open(double deadline_s, double start_most_s, cluster_t **out)
{
    ASSERT(deadline_s > 0 && start_most_s > 0);
    const launch_t launch = launch_read();
    int provided = 0;
    launch_tell(LAUNCH_NEWS_HERE);
    TRY(begin_mpi(&launch, start_most_s, &provided));
    status_set_abort_hook(abort_hook);
    if (provided < MPI_THREAD_FUNNELED)
        return FAIL(ST_SYSTEM, "this MPI library has no thread support (level %d, MPI_THREAD_FUNNELED is needed)", provided);
    TRY_MPI("MPI_Comm_set_errhandler", MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
    cluster_t *cluster = MEM_NEW(cluster_t);
    cluster->sleep_ns_most = SLEEP_NS_MAX;
    cluster->deadline_s = deadline_s;
    MPI_Comm_rank(MPI_COMM_WORLD, &cluster->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &cluster->size);
    cluster->hosts = mem_alloc((size_t)cluster->size, CLUSTER_HOST_BYTES);
    cluster->scratch = MEM_ARRAY(float, WINDOW *CHUNK);
    cluster->memory = host_memory_create(cluster->size);
    cluster->cards = MEM_ARRAY(host_card_t, cluster->size);
    cluster->ways = MEM_ARRAY(sum_way_t, cluster->size + 1);
    TRY(gather_roster(cluster));
    cluster->group_first = cluster->rank;
    cluster->group_size = 1;
    if (cluster->rank == 0)
        launch_tell(LAUNCH_NEWS_TOGETHER);
    *out = cluster;
    return ST_OK;
}

/* MPI's end may not come: the daemon of a host that is cut off tries for minutes to tell the others. */
#define ABORT_S 5
#define FINALIZE_S 30

static volatile sig_atomic_t exit_code_left;

static void end_without_mpi(int number)
{
    (void)number;
    _exit(exit_code_left);
}

void cluster_close(cluster_t **out)
{
    cluster_t *cluster = *out;
    if (!cluster)
        return;
    char mine = 0;
    char *all = MEM_ARRAY(char, cluster->size);
    /* MPI_Finalize spins until the last rank comes, so the ranks meet here first. */
    if (gather_named(cluster, "end of the job", &mine, 1, all) != ST_OK)
        cluster_abort(1);
    mem_free(all);
    status_set_abort_hook(NULL);
    time_limit_t *limit = time_limit_start(FINALIZE_S, "the job has ended, but MPI does not; is a host of the job cut off?");
    MPI_Finalize();
    time_limit_stop(&limit);
    mem_free(cluster->hosts);
    mem_free(cluster->order);
    mem_free(cluster->scratch);
    mem_free(cluster->cards);
    mem_free(cluster->ways);
    host_memory_destroy(&cluster->memory);
    mem_free(cluster);
    *out = NULL;
}

void cluster_abort(int exit_code)
{
    int begun = 0, ended = 0;
    MPI_Initialized(&begun);
    MPI_Finalized(&ended);
    exit_code_left = exit_code;
    signal(SIGALRM, end_without_mpi);
    alarm(ABORT_S);
    if (begun && !ended)
        MPI_Abort(MPI_COMM_WORLD, exit_code);
    _exit(exit_code);
}

void cluster_end_daemon(void)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)getppid());
    FILE *file = fopen(path, "r");
    if (file && fgets(name, sizeof name, file) && strcmp(name, "orted\n") == 0)
        kill(getppid(), SIGTERM);
    if (file)
        fclose(file);
}

void cluster_renumber(cluster_t *cluster, const int *order)
{
    ASSERT(order[0] == 0 && !cluster->order);
    char(*hosts)[CLUSTER_HOST_BYTES] = mem_alloc((size_t)cluster->size, CLUSTER_HOST_BYTES);
    host_card_t *cards = MEM_ARRAY(host_card_t, cluster->size);
    int rank = -1;
    cluster->order = MEM_ARRAY(int, cluster->size);
    for (int r = 0; r < cluster->size; r++) {
        cluster->order[r] = order[r];
        memcpy(hosts[r], cluster->hosts[order[r]], CLUSTER_HOST_BYTES);
        cards[r] = cluster->cards[order[r]];
        rank = order[r] == cluster->rank ? r : rank;
    }
    ASSERT(rank >= 0);
    mem_free(cluster->hosts);
    mem_free(cluster->cards);
    cluster->hosts = hosts;
    cluster->cards = cards;
    cluster->group_first = cluster->rank = rank;
    cluster->group_size = 1;
}

int cluster_rank(const cluster_t *cluster)
{
    return cluster->rank;
}

int cluster_size(const cluster_t *cluster)
{
    return cluster->size;
}

const char *cluster_host(const cluster_t *cluster)
{
    return cluster->hosts[cluster->rank];
}

const char *cluster_host_of(const cluster_t *cluster, int rank)
{
    ASSERT(rank >= 0 && rank < cluster->size);
    return cluster->hosts[rank];
}

int cluster_host_file(cluster_t *cluster, int first, int n, int *ranks)
{
    int owner = -1;
    *ranks = 0;
    for (int r = first; r < first + n; r++) {
        if (strcmp(cluster->hosts[r], cluster_host(cluster)) != 0)
            continue;
        owner = owner < 0 ? r : owner;
        ++*ranks;
    }
    ASSERT(owner >= 0);
    const host_card_t *card = &cluster->cards[owner];
    const bool is_reached = *ranks > 1 && host_memory_reach(cluster->memory, (host_group_t){owner, 1, 0}, card);
    return is_reached ? host_memory_file(card) : -1;
}

void cluster_set_poll(cluster_t *cluster, status_t (*poll)(void *context), void *context)
{
    cluster->poll = poll;
    cluster->poll_context = context;
}

bool cluster_is_whole(const cluster_t *cluster)
{
    return !cluster->broken;
}

status_t cluster_gather_all(cluster_t *cluster, const void *mine, int64_t bytes, void *all)
{
    return gather_named(cluster, "exchange between all ranks", mine, bytes, all);
}

status_t cluster_group(cluster_t *cluster, int first, int n)
{
    ASSERT(first >= 0 && n >= 1 && first + n <= cluster->size);
    cluster->group_first = first;
    cluster->group_size = n;
    return ST_OK;
}

/* ---- tree sum ---- */

/* add - out[i] := left[i] + right[i]; out is left or right. One function for both sides of an exchange, so that both round, and
 * carry a NaN's bits, alike. */
static __attribute__((noinline)) void add(float *out, const float *left, const float *right, int n)
{
#pragma GCC ivdep
    for (int i = 0; i < n; i++)
        out[i] = left[i] + right[i];
}

static const char all_reduce[] = "dense all-reduce";

/* What becomes of the sums of one vector. */
typedef struct result {
    tree_result_fn *fn;
    void *context;
    int vector;
} result_t;

static void tell_result(const result_t *result, int64_t first, int64_t n, float *sums)
{
    if (result->fn && n > 0)
        result->fn(result->context, result->vector, first, n, sums);
}

/* Elements [first, end) of a vector. */
typedef struct range {
    int64_t first, end;
} range_t;

typedef struct sum_task {
    MPI_Request requests[2];
    int ranks[2];
    float *received;
} sum_task_t;

static int piece_of(const range_t *range, int64_t i)
{
    const int64_t left = range->end - range->first - i * CHUNK;
    return left <= 0 ? 0 : left < CHUNK ? (int)left : CHUNK;
}

/* What is received: a result, or to be added as the left or the right operand. */
typedef enum exchange_kind { TAKE_RESULT, ADD_LEFT, ADD_RIGHT } exchange_kind_t;

/* Send one range of values to a partner, and get another. */
static status_t exchange(cluster_t *cluster, float *values, range_t send, range_t get, int partner, exchange_kind_t kind)
{
    const int64_t longer = send.end - send.first > get.end - get.first ? send.end - send.first : get.end - get.first;
    const int64_t total = (longer + CHUNK - 1) / CHUNK;
    const int rank = cluster->group_first + partner;
    sum_task_t tasks[WINDOW];
    for (int64_t done = 0, started = 0; done < total; done++) {
        for (; started < total && started < done + WINDOW; started++) {
            sum_task_t *task = &tasks[started % WINDOW];
            float *into = values + get.first + started * CHUNK;
            const int get_n = piece_of(&get, started), send_n = piece_of(&send, started);
            task->received = kind == TAKE_RESULT ? into : cluster->scratch + started % WINDOW * CHUNK;
            task->ranks[0] = task->ranks[1] = rank;
            task->requests[0] = task->requests[1] = MPI_REQUEST_NULL;
            if (get_n)
                TRY_MPI(all_reduce, MPI_Irecv(task->received, get_n, MPI_FLOAT, of_mpi(cluster, rank), TAG_TREE, MPI_COMM_WORLD,
                                              &task->requests[0]));
            if (send_n)
                TRY_MPI(all_reduce, MPI_Isend(values + send.first + started * CHUNK, send_n, MPI_FLOAT, of_mpi(cluster, rank),
                                              TAG_TREE, MPI_COMM_WORLD, &task->requests[1]));
        }
        sum_task_t *task = &tasks[done % WINDOW];
        TRY(wait_all(cluster, all_reduce, task->requests, task->ranks, 2));
        float *into = values + get.first + done * CHUNK;
        if (kind == ADD_LEFT)
            add(into, task->received, into, piece_of(&get, done));
        else if (kind == ADD_RIGHT)
            add(into, into, task->received, piece_of(&get, done));
    }
    cluster->received += (get.end - get.first) * (int64_t)sizeof *values;
    return ST_OK;
}

/* A part for each member, and as many as a whole tree has. */
static status_t sum_by_halving(cluster_t *cluster, float *values, int64_t count, const result_t *result, int me)
{
    const int rounds = tree_levels((uint32_t)cluster->group_size);
    range_t kept[TREE_LEVELS_MAX + 1] = {{0, count}};
    for (int r = 0; r < rounds; r++) {
        const int partner = me ^ 1 << r;
        const int64_t middle = kept[r].first + (kept[r].end - kept[r].first) / 2;
        const range_t low = {kept[r].first, middle}, high = {middle, kept[r].end};
        kept[r + 1] = me < partner ? low : high;
        TRY(exchange(cluster, values, me < partner ? high : low, kept[r + 1], partner, me < partner ? ADD_RIGHT : ADD_LEFT));
    }
    tell_result(result, kept[rounds].first, kept[rounds].end - kept[rounds].first, values + kept[rounds].first);
    for (int r = rounds; r-- > 0;) {
        const range_t low = {kept[r].first, kept[r].first + (kept[r].end - kept[r].first) / 2}, high = {low.end, kept[r].end};
        const int partner = me ^ 1 << r;
        TRY(exchange(cluster, values, kept[r + 1], me < partner ? high : low, partner, TAKE_RESULT));
    }
    return ST_OK;
}

/* What a sum of slices needs besides; of one call. */
typedef struct slice_sum {
    const tree_shares_t *shares;
    int me, n_requests;
    MPI_Request *requests; /* [most of them at a time] */
    int *ranks;
    float *received; /* [parts of all][SLICE] of this member's slice */
    float *tree;     /* [tree_levels][SLICE] */
} slice_sum_t;

#define SLICE CHUNK /* f32 of one member's slice of a round, at most */

/* Slice of a member in a round of `count` values. */
static int64_t slice_first(const slice_sum_t *s, int64_t count, int member)
{
    return member * count / s->shares->members;
}

static int slice_length(const slice_sum_t *s, int64_t count, int member)
{
    return (int)(slice_first(s, count, member + 1) - slice_first(s, count, member));
}

static status_t slice_recv(cluster_t *cluster, slice_sum_t *s, int from, float *to, int n)
{
    s->ranks[s->n_requests] = cluster->group_first + from;
    TRY_MPI(all_reduce, MPI_Irecv(to, n, MPI_FLOAT, of_mpi(cluster, cluster->group_first + from), TAG_TREE, MPI_COMM_WORLD,
                                  &s->requests[s->n_requests++]));
    return ST_OK;
}

static status_t slice_send(const cluster_t *cluster, slice_sum_t *s, int to, const float *from, int n)
{
    s->ranks[s->n_requests] = cluster->group_first + to;
    TRY_MPI(all_reduce, MPI_Isend(from, n, MPI_FLOAT, of_mpi(cluster, cluster->group_first + to), TAG_TREE, MPI_COMM_WORLD,
                                  &s->requests[s->n_requests++]));
    return ST_OK;
}

static status_t slices_wait(cluster_t *cluster, slice_sum_t *s)
{
    const int n = s->n_requests;
    s->n_requests = 0;
    return wait_all(cluster, all_reduce, s->requests, s->ranks, n);
}

/* Each member gets all parts of its slice, and adds them up in place of its own first part. stride: from part to part. */
static status_t reduce_slices(cluster_t *cluster, slice_sum_t *s, float *values, int64_t count, int64_t stride)
{
    const tree_shares_t *shares = s->shares;
    const int own = slice_length(s, count, s->me);
    for (int i = 1; i < shares->members; i++) {
        const int from = (s->me + shares->members - i) % shares->members, to = (s->me + i) % shares->members;
        for (int32_t p = shares->first[from]; p < shares->first[from + 1]; p++)
            TRY(slice_recv(cluster, s, from, s->received + (int64_t)p * SLICE, own));
        for (int32_t p = 0; p < shares->first[s->me + 1] - shares->first[s->me]; p++)
            TRY(slice_send(cluster, s, to, values + p * stride + slice_first(s, count, to), slice_length(s, count, to)));
    }
    TRY(slices_wait(cluster, s));
    float *mine = values + slice_first(s, count, s->me);
    tree_stack_t stack;
    tree_start(&stack, s->tree, own);
    for (int32_t p = 0; p < shares->first[shares->members]; p++) {
        const int32_t part = p - shares->first[s->me];
        const bool is_mine = part >= 0 && p < shares->first[s->me + 1];
        tree_push(&stack, shares->part[p], is_mine ? mine + part * stride : s->received + (int64_t)p * SLICE);
    }
    tree_finish(&stack, mine);
    return ST_OK;
}

/* Each member's slice to all others. */
static status_t gather_slices(cluster_t *cluster, slice_sum_t *s, float *values, int64_t count)
{
    const int members = s->shares->members;
    for (int i = 1; i < members; i++) {
        const int from = (s->me + members - i) % members, to = (s->me + i) % members;
        TRY(slice_recv(cluster, s, from, values + slice_first(s, count, from), slice_length(s, count, from)));
        TRY(slice_send(cluster, s, to, values + slice_first(s, count, s->me), slice_length(s, count, s->me)));
    }
    return slices_wait(cluster, s);
}

static status_t sum_by_slices(cluster_t *cluster, const tree_shares_t *shares, float *values, int64_t count,
                              const result_t *result, int me)
{
    const int members = shares->members, parts = shares->first[members], own = shares->first[me + 1] - shares->first[me];
    const int64_t requests = 2 * (int64_t)members + parts + (int64_t)own * members, round = (int64_t)members * SLICE;
    slice_sum_t s = {.shares = shares,
                     .me = me,
                     .requests = MEM_ARRAY(MPI_Request, requests),
                     .ranks = MEM_ARRAY(int, requests),
                     .received = MEM_ARRAY(float, (int64_t)parts *SLICE),
                     .tree = MEM_ARRAY(float, (int64_t)tree_levels(shares->leaves) * SLICE)};
    for (int64_t first = 0; first < count; first += round) {
        const int64_t n = count - first < round ? count - first : round;
        TRY(reduce_slices(cluster, &s, values + first, n, count)); /* MPI may hold what is allocated when it fails */
        const int64_t at = first + slice_first(&s, n, me);
        tell_result(result, at, slice_length(&s, n, me), values + at);
        TRY(gather_slices(cluster, &s, values + first, n));
    }
    mem_free(s.requests);
    mem_free(s.ranks);
    mem_free(s.received);
    mem_free(s.tree);
    return ST_OK;
}

static bool is_whole_tree(const tree_shares_t *shares)
{
    return shares->first[shares->members] == shares->members && shares->leaves == (uint32_t)shares->members &&
           (shares->members & (shares->members - 1)) == 0;
}

static status_t sum_by_mpi(cluster_t *cluster, const tree_shares_t *shares, const tree_vector_t *vectors, int n,
                           tree_result_fn *fn, void *context)
{
    const int me = cluster->rank - cluster->group_first;
    for (int i = 0; i < n; i++) {
        const tree_vector_t *v = &vectors[i];
        const result_t result = {fn, context, i};
        TRY(is_whole_tree(shares) ? sum_by_halving(cluster, v->values, v->count, &result, me)
                                  : sum_by_slices(cluster, shares, v->values, v->count, &result, me));
        if (v->result)
            memcpy(v->result, v->values, (size_t)v->count * sizeof *v->values);
    }
    return ST_OK;
}

/* ---- tree sum on one host ---- */

static host_group_t host_group(const cluster_t *cluster)
{
    return (host_group_t){cluster->group_first, cluster->group_size, cluster->rank - cluster->group_first};
}

/* find_way - whether the group's sums go through memory. All members must say the same, and they find out together, once. */
static status_t find_way(cluster_t *cluster, sum_way_t *out)
{
    sum_way_t *way = &cluster->ways[cluster->group_size];
    if (*way == WAY_UNKNOWN) {
        const host_group_t group = host_group(cluster);
        bool here = true;
        for (int m = 0; m < group.n; m++)
            here = here && strcmp(cluster->hosts[group.first + m], cluster_host(cluster)) == 0;
        tree_shares_t shares;
        float *unreached = MEM_ARRAY(float, 1);
        *unreached = !here || !host_memory_reach(cluster->memory, group, cluster->cards + group.first);
        tree_shares_init(&shares, group.n, (uint32_t)group.n);
        TRY(sum_by_mpi(cluster, &shares, &(tree_vector_t){unreached, 1, NULL}, 1, NULL,
                       NULL)); /* MPI may hold what is allocated when it fails */
        *way = *unreached == 0.0f ? WAY_MEMORY : WAY_MPI;
        tree_shares_fini(&shares);
        mem_free(unreached);
    }
    *out = *way;
    return ST_OK;
}

static status_t missing_here(const cluster_t *cluster, host_group_t group, double waited_s)
{
    char who[512] = "";
    int n_missing = 0;
    for (int m = 0; m < group.n; m++)
        if (!host_memory_has_come(cluster->memory, group, m))
            add_missing(cluster, group.first + m, n_missing++, who, sizeof who);
    return FAIL(ST_TIMEOUT, "%s: waiting for %d of %d: %s, %.1f s", all_reduce, n_missing, group.n, who, waited_s);
}

/* wait_here - until all members have come to the meeting that this one has come to. */
static status_t wait_here(cluster_t *cluster)
{
    const double patience_s = cluster->poll ? 2 * cluster->deadline_s : cluster->deadline_s;
    const host_group_t group = host_group(cluster);
    patience_t waited = patience_start(clock_now_ns());
    status_t status = ST_OK;
    for (int64_t spin_ns = cluster->spin_ns; !host_memory_met(cluster->memory, group, spin_ns, LOOK_NS); spin_ns = 0) {
        if (cluster->poll)
            TRY_DONE(cluster->poll(cluster->poll_context));
        if ((double)patience_spend(&waited, clock_now_ns()) > patience_s * 1e9)
            TRY_DONE(missing_here(cluster, group, patience_s));
    }
done:
    cluster->broken = cluster->broken || status != ST_OK;
    return status;
}

static status_t sum_in_memory(cluster_t *cluster, const tree_shares_t *shares, const tree_vector_t *vectors, int n,
                              tree_result_fn *result, void *context)
{
    const host_group_t group = host_group(cluster);
    const int32_t own = shares->first[group.me + 1] - shares->first[group.me], parts = shares->first[group.n];
    int64_t count = 0;
    for (int i = 0; i < n; i++)
        count += vectors[i].count;
    TRY(host_memory_publish(cluster->memory, group, own, vectors, n));
    TRY(wait_here(cluster));
    TRY(host_memory_reduce(cluster->memory, group, shares, vectors, n, result, context));
    TRY(wait_here(cluster));
    host_memory_gather(cluster->memory, group, vectors, n);
    const int64_t slice = host_memory_slice(count, group.me + 1, group.n) - host_memory_slice(count, group.me, group.n);
    cluster->received += ((parts - own) * slice + count - slice) * (int64_t)sizeof(float);
    return ST_OK;
}

status_t cluster_tree_sum(cluster_t *cluster, const tree_shares_t *shares, const tree_vector_t *vectors, int n,
                          tree_result_fn *result, void *context)
{
    sum_way_t way;
    ASSERT(cluster->rank >= cluster->group_first && cluster->rank < cluster->group_first + cluster->group_size);
    ASSERT(shares->members == cluster->group_size);
    if (cluster->group_size == 1)
        return ST_OK;
    TRY(find_way(cluster, &way));
    return way == WAY_MEMORY ? sum_in_memory(cluster, shares, vectors, n, result, context)
                             : sum_by_mpi(cluster, shares, vectors, n, result, context);
}

status_t cluster_meet(cluster_t *cluster)
{
    sum_way_t way;
    if (cluster->group_size == 1)
        return ST_OK;
    TRY(find_way(cluster, &way));
    if (way == WAY_MEMORY) {
        host_memory_arrive(cluster->memory, host_group(cluster));
        return wait_here(cluster);
    }
    tree_shares_t shares;
    tree_shares_init(&shares, cluster->group_size, (uint32_t)cluster->group_size);
    float *nothing = MEM_ARRAY(float, 1);
    TRY(sum_by_mpi(cluster, &shares, &(tree_vector_t){nothing, 1, NULL}, 1, NULL, NULL)); /* as above */
    mem_free(nothing);
    tree_shares_fini(&shares);
    return ST_OK;
}

int64_t cluster_bytes_received(const cluster_t *cluster)
{
    return cluster->received;
}

/* ---- share ---- */

/* One piece. Counted from the owner, member m > 0 gets it from m without its lowest bit, and hands it on to m + d for every
 * power of two d below that bit, farthest first. */
static status_t share_piece(cluster_t *cluster, float *values, int n, int owner)
{
    static const char what[] = "exchange of dense parameters";
    const int size = cluster->group_size, me = (cluster->rank - cluster->group_first - owner + size) % size;
    MPI_Request request;
    int distance = 1, rank;
    while (distance < size && !(me & distance))
        distance *= 2;
    if (me > 0) {
        rank = cluster->group_first + (me - distance + owner) % size;
        TRY_MPI(what, MPI_Irecv(values, n, MPI_FLOAT, of_mpi(cluster, rank), TAG_SHARE, MPI_COMM_WORLD, &request));
        TRY(wait_all(cluster, what, &request, &rank, 1));
        cluster->received += n * (int64_t)sizeof *values;
    }
    for (distance /= 2; distance > 0; distance /= 2) {
        if (me + distance >= size)
            continue;
        rank = cluster->group_first + (me + distance + owner) % size;
        TRY_MPI(what, MPI_Isend(values, n, MPI_FLOAT, of_mpi(cluster, rank), TAG_SHARE, MPI_COMM_WORLD, &request));
        TRY(wait_all(cluster, what, &request, &rank, 1));
    }
    return ST_OK;
}

status_t cluster_share(cluster_t *cluster, float *values, int64_t count, int owner)
{
    ASSERT(owner >= 0 && owner < cluster->group_size && count >= 0);
    for (int64_t first = 0; first < count; first += SHARE_PIECE)
        TRY(share_piece(cluster, values + first, (int)(count - first < SHARE_PIECE ? count - first : SHARE_PIECE), owner));
    return ST_OK;
}
