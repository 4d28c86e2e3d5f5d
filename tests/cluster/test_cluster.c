/* test_cluster - MPI under real mpirun: roster, exchange, tree sum, deadlines, and how a rank's end is reported.
 *
 * Proves "the same bits on every member" and the fixed order of the tree against a sum that every rank works out alone,
 * for 1, 2, 3, 5, 7 and 8 ranks and across two hosts; "every wait has a deadline and says who is missing"; and that a
 * killed, failing or aborting rank ends the job within 10 s with its rank, node and signal or exit code known to the
 * launcher. The program starts itself under mpirun with the argument `rank MODE`. */
#include "common/cluster/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "launcher/job/mpirun.h"
#include "tests/lib/testing.h"

/* ---- what a rank does ---- */

#define CHECK(cond) \
    do { \
        if (!(cond)) { \
            log_error("check failed: %s (%s:%d)", #cond, __FILE__, __LINE__); \
            cluster_abort(99); \
        } \
    } while (0)

static float value_of(int member, int64_t i)
{
    return (float)(rng_normal(7, (uint64_t)member, (uint64_t)i) * 1000.0);
}

/* tree - the sum that the text of tree.h prescribes, by recursion: halves, the lower one the left operand, absent leaves left
 * out. */
static bool tree(const float *leaf, int low, int high, int n, float *out)
{
    float right;
    if (low >= n)
        return false;
    if (high - low == 1) {
        *out = leaf[low];
        return true;
    }
    tree(leaf, low, (low + high) / 2, n, out);
    if (tree(leaf, (low + high) / 2, high, n, &right))
        *out = *out + right;
    return true;
}

/* The sum of leaves [low, high) of `lanes`. */
static float expected_sum(int low, int high, int lanes, int64_t i)
{
    float leaf[64], sum = 0.0f;
    int width = 1;
    while (width < high - low)
        width *= 2;
    for (int l = low; l < high && l < lanes; l++)
        leaf[l - low] = value_of(l, i);
    CHECK(tree(leaf, 0, width, high - low, &sum));
    return sum;
}

/* "called for the elements that this member has summed, which all then get as it leaves them" */
static void twice_and_number(void *context, int vector, int64_t first, int64_t n, float *sums)
{
    (void)context;
    for (int64_t i = 0; i < n; i++)
        sums[i] = 2.0f * sums[i] + (float)(first + i + vector);
}

static void check_results(cluster_t *c, int n, int lanes, int64_t count)
{
    const int me = cluster_rank(c);
    CHECK(cluster_group(c, 0, n) == ST_OK);
    if (me >= n || n == 1)
        return;
    tree_shares_t shares;
    tree_shares_init(&shares, n, (uint32_t)lanes);
    const int parts = shares.first[me + 1] - shares.first[me];
    tree_vector_t vectors[2];
    for (int v = 0; v < 2; v++) {
        vectors[v] = (tree_vector_t){MEM_ARRAY(float, parts *count), count, v ? MEM_ARRAY(float, count) : NULL};
        for (int64_t i = 0; i < parts * count; i++)
            vectors[v].values[i] = 1.0f;
    }
    CHECK(cluster_tree_sum(c, &shares, vectors, 2, twice_and_number, NULL) == ST_OK);
    for (int v = 0; v < 2; v++) {
        const float *got = v ? vectors[v].result : vectors[v].values;
        for (int64_t i = 0; i < count; i++)
            CHECK(got[i] == 2.0f * (float)shares.first[n] + (float)(i + v));
        mem_free(vectors[v].values);
        mem_free(vectors[v].result);
    }
    tree_shares_fini(&shares);
}

/* "the same bits on every member, and for any number of members that share out the same leaves" */
static void check_sum(cluster_t *c, int first, int n, int lanes, int64_t count)
{
    CHECK(cluster_group(c, first, n) == ST_OK);
    int me = cluster_rank(c) - first;
    uint64_t digest = 0;
    if (me >= 0 && me < n) {
        tree_shares_t shares;
        tree_shares_init(&shares, n, (uint32_t)lanes);
        uint32_t part[TREE_PARTS_MAX + 1];
        const int parts = tree_parts((uint32_t)(me * lanes / n), (uint32_t)((me + 1) * lanes / n), part);
        float *values = MEM_ARRAY(float, parts *count);
        for (int p = 0; p < parts; p++)
            for (int64_t i = 0; i < count; i++)
                values[p * count + i] = expected_sum((int)part[p], (int)part[p + 1], lanes, i);
        const int64_t before = cluster_bytes_received(c);
        CHECK(cluster_tree_sum(c, &shares, &(tree_vector_t){values, count, NULL}, 1, NULL, NULL) == ST_OK);
        const int64_t received = cluster_bytes_received(c) - before, twice = 2 * (n - 1) * count * (int64_t)sizeof(float) / n;
        if (lanes % n == 0 && count > 1000) /* "about two vectors received" */
            CHECK(received > twice - 1024 && received < twice + 1024);
        for (int64_t i = 0; i < count; i++) {
            float expected = expected_sum(0, lanes, lanes, i);
            CHECK(memcmp(&values[i], &expected, sizeof expected) == 0);
        }
        digest = hash64(values, (size_t)count * sizeof *values, 0);
        CHECK(cluster_meet(c) == ST_OK);
        tree_shares_fini(&shares);
        mem_free(values);
    }
    uint64_t all[64];
    CHECK(cluster_gather_all(c, &digest, sizeof digest, all) == ST_OK);
    for (int r = first; r < first + n; r++)
        CHECK(all[r] == all[first]);
}

/* "a file in memory for those of the ranks .. that are on this host", one for each host, and none for a rank alone there */
static void check_host_file(cluster_t *c)
{
    typedef struct file_id {
        int64_t device, inode, ranks;
    } file_id_t;
    int ranks;
    const int file = cluster_host_file(c, 0, cluster_size(c), &ranks);
    struct stat st = {0};
    CHECK(file < 0 || fstat(file, &st) == 0);
    const file_id_t mine = {file < 0 ? -1 : (int64_t)st.st_dev, (int64_t)st.st_ino, ranks};
    file_id_t *all = MEM_ARRAY(file_id_t, cluster_size(c));
    CHECK(cluster_gather_all(c, &mine, sizeof mine, all) == ST_OK);
    int here = 0;
    for (int r = 0; r < cluster_size(c); r++) {
        const bool is_here = strcmp(cluster_host_of(c, r), cluster_host(c)) == 0;
        here += is_here;
        CHECK(file < 0 || is_here == (all[r].device == mine.device && all[r].inode == mine.inode));
    }
    CHECK(ranks == here && (file >= 0) == (here > 1));
    CHECK(cluster_meet(c) == ST_OK);
    close(file);
    mem_free(all);
}

/* "values := those of the group's member `owner`, on every member" */
static void check_share(cluster_t *c, int first, int n, int64_t count)
{
    CHECK(cluster_group(c, first, n) == ST_OK);
    int me = cluster_rank(c) - first;
    float *values = MEM_ARRAY(float, count);
    for (int owner = 0; owner < n && me >= 0 && me < n; owner++) {
        for (int64_t i = 0; i < count; i++)
            values[i] = value_of(me, i);
        CHECK(cluster_share(c, values, count, owner) == ST_OK);
        for (int64_t i = 0; i < count; i++) {
            float expected = value_of(owner, i);
            CHECK(memcmp(&values[i], &expected, sizeof expected) == 0);
        }
    }
    mem_free(values);
}

static void rank_sum(cluster_t *c)
{
    int size = cluster_size(c), rank = cluster_rank(c);
    /* Blocks that are no power of two in length, different on every rank. */
    char mine[37], *all = MEM_ARRAY(char, 37 * size);
    memset(mine, 'a' + rank, sizeof mine);
    CHECK(cluster_gather_all(c, mine, sizeof mine, all) == ST_OK);
    for (int i = 0; i < 37 * size; i++)
        CHECK(all[i] == 'a' + i / 37);
    mem_free(all);
    CHECK(cluster_group(c, 0, size) == ST_OK);
    check_host_file(c);
    /* Below, at and above a chunk, more chunks than the window has, and nothing. */
    static const int64_t counts[] = {0, 1, 1000, 30720, 30721, 500000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        check_sum(c, 0, size, 8, counts[i]);
        if (counts[i] == 1000)
            check_sum(c, 0, size, size, counts[i]); /* no tree of lanes, where size is no power of two */
        if (size > 1 && counts[i] < 100000)
            check_sum(c, 1, size - 1, 8, counts[i]);
        check_results(c, size, 8, counts[i]);
        check_share(c, 0, size, counts[i]);
        if (size > 1)
            check_share(c, 1, size - 1, counts[i]);
    }
    CHECK(strcmp(cluster_host_of(c, rank), cluster_host(c)) == 0);
    if (rank == 0) {
        printf("sum ok on");
        for (int r = 0; r < size; r++)
            printf(" %s", cluster_host_of(c, r));
        printf("\n");
        fflush(stdout);
    }
}

static void rank_killed(cluster_t *c)
{
    if (cluster_rank(c) == 2)
        raise(SIGKILL);
    sleep(60);
}

static void rank_failed(cluster_t *c)
{
    if (cluster_rank(c) == 1) {
        log_error("rank one gives up");
        cluster_abort(2);
    }
    sleep(60);
}

static void rank_exited(cluster_t *c)
{
    if (cluster_rank(c) == 1)
        _exit(7);
    sleep(60);
}

static void rank_assert(cluster_t *c)
{
    const int rank = cluster_rank(c);
    ASSERT(rank != 1);
    sleep(60);
}

static void rank_missing_gather(cluster_t *c)
{
    uint64_t all[64], word = 0;
    if (cluster_rank(c) == 2)
        sleep(3);
    if (cluster_gather_all(c, &word, sizeof word, all) != ST_OK && cluster_rank(c) == 0)
        cluster_abort(3);
    sleep(60);
}

static void rank_missing_sum(cluster_t *c)
{
    float value[4] = {0};
    if (cluster_rank(c) == 1)
        sleep(60);
    CHECK(cluster_group(c, 0, 2) == ST_OK);
    tree_shares_t shares;
    tree_shares_init(&shares, 2, 4);
    if (cluster_tree_sum(c, &shares, &(tree_vector_t){value, 4, NULL}, 1, NULL, NULL) != ST_OK)
        cluster_abort(3);
}

static void rank_missing_share(cluster_t *c)
{
    float value[4] = {0};
    if (cluster_rank(c) == 1)
        sleep(60);
    CHECK(cluster_group(c, 0, 2) == ST_OK);
    if (cluster_share(c, value, 4, 1) != ST_OK)
        cluster_abort(3);
}

static void rank_missing_close(cluster_t *c)
{
    if (cluster_rank(c) == 1)
        sleep(60);
}

static void rank_progress(cluster_t *c)
{
    static const char text[] = "\rstep 1  12 %\rstep 2  24 %";
    if (cluster_rank(c) == 0)
        CHECK(write(STDERR_FILENO, text, sizeof text - 1) == sizeof text - 1);
}

static const struct {
    const char *name;
    void (*run)(cluster_t *c);
} modes[] = {
    {"sum", rank_sum},
    {"killed", rank_killed},
    {"failed", rank_failed},
    {"exited", rank_exited},
    {"assert", rank_assert},
    {"missing-gather", rank_missing_gather},
    {"missing-sum", rank_missing_sum},
    {"missing-share", rank_missing_share},
    {"missing-close", rank_missing_close},
    {"progress", rank_progress},
};

static int rank_main(const char *mode)
{
    if (!cluster_is_launched()) {
        log_error("not launched");
        return 98;
    }
    bool slow = strncmp(mode, "missing", 7) == 0;
    cluster_t *c;
    status_t status = cluster_open(slow ? 0.5 : 30.0, 30, &c);
    if (status != ST_OK)
        return 97;
    char role[32];
    snprintf(role, sizeof role, "rank %d", cluster_rank(c));
    log_set_role(role);
    size_t m = 0;
    while (m < sizeof modes / sizeof *modes && strcmp(mode, modes[m].name) != 0)
        m++;
    if (m == sizeof modes / sizeof *modes)
        return 96;
    modes[m].run(c);
    cluster_close(&c);
    return 0;
}

/* ---- the tests ---- */

typedef struct outcome {
    status_t status;
    int exit_code;
    mpirun_death_t death;
    double seconds;
    char out[1 << 14], err[1 << 14];
} outcome_t;

static void slurp(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(text, 1, size - 1, f) : 0;
    text[n] = 0;
    if (f)
        fclose(f);
}

/* launch - mpirun_spawn in a child whose standard output and error go to files; an interrupt after `interrupt_ms`, if any. */
static outcome_t *launch(int np, const char *mode, int interrupt_ms)
{
    static outcome_t o;
    memset(&o, 0, sizeof o);
    const char *dir = test_dir();
    (void)dir;
    const char *out = test_path("out"), *err = test_path("err"), *facts = test_path("facts");
    int64_t start = clock_now_ns();
    pid_t child = fork();
    if (child == 0) {
        int ofd = open(out, O_CREAT | O_WRONLY | O_APPEND, 0600), efd = open(err, O_CREAT | O_WRONLY | O_APPEND, 0600);
        dup2(ofd, 1);
        dup2(efd, 2);
        char *argv[] = {(char *)"test_cluster", (char *)"rank", (char *)mode, NULL};
        o.status = mpirun_spawn(np, argv, &(mpirun_limits_t){30, 30, NULL, ""}, &o.death, &o.exit_code);
        FILE *f = fopen(facts, "wb");
        bool ok = f && fwrite(&o, sizeof o, 1, f) == 1;
        if (f)
            fclose(f);
        _exit(ok ? 0 : 1);
    }
    assert_true(child > 0);
    if (interrupt_ms > 0) {
        usleep((useconds_t)interrupt_ms * 1000);
        kill(child, SIGINT);
    }
    int result = 0;
    while (waitpid(child, &result, 0) < 0 && errno == EINTR)
        ;
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    FILE *f = fopen(facts, "rb");
    assert_non_null(f);
    assert_int_equal(fread(&o, sizeof o, 1, f), 1);
    fclose(f);
    o.seconds = 1e-9 * (double)(clock_now_ns() - start);
    slurp(out, o.out, sizeof o.out);
    slurp(err, o.err, sizeof o.err);
    return &o;
}

static void assert_in(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in:\n%s", part, text);
}

static void assert_not_in(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" in:\n%s", part, text);
}

static void assert_quiet(const outcome_t *o)
{
    assert_not_in(o->err, "-----");
    assert_not_in(o->err, "mpirun noticed");
    assert_not_in(o->err, "MPI_ABORT");
    assert_not_in(o->err, "Primary job");
    assert_not_in(o->err, "help message");
    assert_not_in(o->err, "ORTE_ERROR_LOG");
}

static void test_sums(void **state)
{
    (void)state;
    static const int sizes[] = {1, 2, 3, 5, 8};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        outcome_t *o = launch(sizes[i], "sum", 0);
        if (o->exit_code != 0)
            fail_msg("%d ranks: exit code %d\n%s", sizes[i], o->exit_code, o->err);
        assert_in(o->out, "sum ok on");
        assert_false(o->death.seen);
        assert_in(o->err, "--oversubscribe --bind-to none");
        assert_in(o->err, "rank sum\n");
    }
}

static void test_killed_rank_is_named(void **state)
{
    (void)state;
    outcome_t *o = launch(3, "killed", 0);
    char host[64];
    gethostname(host, sizeof host);
    assert_int_equal(o->status, ST_OK);
    assert_true(o->death.seen);
    assert_int_equal(o->death.rank, 2);
    assert_true(o->death.together && o->death.here == 3); /* a death does not make it forget that there were ranks */
    assert_int_equal(o->death.signal, SIGKILL);
    assert_string_equal(o->death.node, host);
    assert_int_equal(o->exit_code, 137);
    assert_true(o->seconds < 10);
    assert_quiet(o);
}

static void test_failed_ranks_are_named(void **state)
{
    (void)state;
    outcome_t *o = launch(2, "failed", 0);
    assert_false(o->death.seen);
    assert_int_equal(o->exit_code, 2);
    assert_in(o->err, "rank 1: error: rank one gives up\n");
    assert_quiet(o);
    o = launch(2, "exited", 0);
    assert_true(o->death.seen);
    assert_int_equal(o->death.rank, 1);
    assert_int_equal(o->death.signal, 0);
    assert_int_equal(o->death.exit_code, 7);
    assert_int_equal(o->exit_code, 7);
    assert_true(o->seconds < 10);
    assert_quiet(o);
    o = launch(2, "assert", 0);
    assert_int_equal(o->exit_code, 1);
    assert_in(o->err, "internal error: rank != 1 is false in rank_assert");
    assert_true(o->seconds < 10);
    assert_quiet(o);
}

static void test_missing_rank_is_named(void **state)
{
    (void)state;
    char host[64], line[256];
    gethostname(host, sizeof host);
    outcome_t *o = launch(3, "missing-gather", 0);
    snprintf(line, sizeof line, "rank 0: error: exchange between all ranks: waiting for 1 of 3: rank 2 on %s, 0.5 s", host);
    assert_in(o->err, line);
    assert_int_equal(o->exit_code, 3);
    o = launch(2, "missing-sum", 0);
    snprintf(line, sizeof line, "rank 0: error: dense all-reduce: waiting for 1 of 2: rank 1 on %s, 0.5 s", host);
    assert_in(o->err, line);
    assert_int_equal(o->exit_code, 3);
    o = launch(2, "missing-share", 0);
    snprintf(line, sizeof line, "rank 0: error: exchange of dense parameters: waiting for 1 of 1: rank 1 on %s, 0.5 s", host);
    assert_in(o->err, line);
    assert_int_equal(o->exit_code, 3);
    o = launch(2, "missing-close", 0);
    snprintf(line, sizeof line, "rank 0: error: end of the job: waiting for 1 of 2: rank 1 on %s, 0.5 s", host);
    assert_in(o->err, line);
    assert_int_equal(o->exit_code, 1);
    assert_quiet(o);
}

static void test_progress_and_interrupt(void **state)
{
    (void)state;
    outcome_t *o = launch(2, "progress", 0);
    assert_int_equal(o->exit_code, 0);
    assert_in(o->err, "\rstep 1  12 %\rstep 2  24 %");
    o = launch(2, "killed", 1500); /* two ranks, so none is killed: they sleep for a minute */
    assert_true(o->seconds < 10);
    assert_int_not_equal(o->exit_code, 0);
    assert_quiet(o);
}

static void test_no_mpirun(void **state)
{
    (void)state;
    char *path = mem_strdup(getenv("PATH"));
    setenv("PATH", "/nowhere", 1);
    char *argv[] = {(char *)"x", NULL};
    mpirun_death_t death;
    int exit_code = -1;
    catch_start();
    assert_int_equal(mpirun_spawn(2, argv, &(mpirun_limits_t){30, 30, NULL, ""}, &death, &exit_code), ST_INPUT);
    catch_stop();
    assert_caught("there is no mpirun in PATH; install Open MPI");
    assert_int_equal(exit_code, -1);
    setenv("PATH", path, 1);
    mem_free(path);
}

static void test_two_hosts(void **state)
{
    (void)state;
    char self[512];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = 0;
    const char *dir = test_dir();
    (void)dir;
    const char *out = test_path("two");
    char *command = mem_printf("tests/cluster/two_hosts.sh 2 2 -- %s rank sum >%s 2>&1", self, out);
    int result = system(command);
    mem_free(command);
    static char text[1 << 14];
    slurp(out, text, sizeof text);
    if (WIFEXITED(result) && WEXITSTATUS(result) == 77) {
        print_message("skipped: %s", text);
        skip();
    }
    if (result != 0)
        fail_msg("exit status %d:\n%s", result, text);
    assert_in(text, "sum ok on node1 node1 node2 node2");
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "rank") == 0)
        return rank_main(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_killed_rank_is_named),
        cmocka_unit_test(test_failed_ranks_are_named),
        cmocka_unit_test(test_missing_rank_is_named),
        cmocka_unit_test(test_progress_and_interrupt),
        cmocka_unit_test(test_no_mpirun),
        cmocka_unit_test(test_two_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
