/* mpirun.c - build the line, run it, hand signals on, and see to it that a start that never happens ends. */
#include "launcher/job/mpirun.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/cluster/launch.h"
#include "common/process/descriptors.h"
#include "common/process/process.h"
#include "launcher/job/mpirun_guard.h"
#include "launcher/job/mpirun_sieve.h"
#include "launcher/job/rank_watch.h"

#define QUIET_MS 30 /* an unfinished line is shown after this */

/* ---- the line ---- */

typedef struct words {
    char **word;
    size_t n, capacity;
} words_t;

static void add_word(words_t *words, const char *text)
{
    MEM_GROW(words->word, words->capacity, words->n + 2);
    words->word[words->n++] = mem_strdup(text);
    words->word[words->n] = NULL;
}

static void free_words(words_t *words)
{
    for (size_t i = 0; i < words->n; i++)
        mem_free(words->word[i]);
    mem_free(words->word);
}

/* can_read_other_memory - Open MPI's single-copy mechanism needs process_vm_readv, which container runtimes often forbid; then
 * it would complain at every message. */
static bool can_read_other_memory(void)
{
    char from = 1, to = 0;
    struct iovec local = {&to, 1}, remote = {&from, 1};
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 1;
}

static status_t find_mpirun(char path[PATH_MAX])
{
    const char *list = getenv("PATH");
    while (list && *list) {
        size_t n = strcspn(list, ":");
        snprintf(path, PATH_MAX, "%.*s/mpirun", (int)n, list);
        if (n > 0 && access(path, X_OK) == 0)
            return ST_OK;
        list += n + (list[n] == ':');
    }
    return FAIL(ST_INPUT, "there is no mpirun in PATH; install Open MPI (apt-get install openmpi-bin), or start the ranks "
                          "yourself with your cluster's launcher");
}

static status_t own_path(char path[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (n <= 0)
        return FAIL(ST_SYSTEM, "/proc/self/exe cannot be read: %s; is /proc mounted?", strerror(errno));
    path[n] = 0;
    return ST_OK;
}

static void build_line(words_t *words, const char *binary, int np, char *const argv[])
{
    add_word(words, "mpirun");
    if (geteuid() == 0)
        add_word(words, "--allow-run-as-root");
    add_word(words, "--oversubscribe");
    add_word(words, "--bind-to");
    add_word(words, "none");
    if (!can_read_other_memory()) {
        add_word(words, "--mca");
        add_word(words, "btl_vader_single_copy_mechanism");
        add_word(words, "none");
    }
    add_word(words, "-np");
    char number[16];
    snprintf(number, sizeof number, "%d", np);
    add_word(words, number);
    add_word(words, binary);
    for (int i = 1; argv[0] && argv[i]; i++)
        add_word(words, argv[i]);
}

static void log_line(const words_t *words)
{
    char *text = text_command((const char *const *)words->word, words->n);
    log_info("start: %s", text);
    mem_free(text);
}

/* ---- running ---- */

#define REPEAT_NS 1000000000      /* a rank that is busy with MPI may lose the wish to stop; it is told again */
#define START_GRACE_NS 3000000000 /* an mpirun without ranks needs a moment to remove its files, no more */
#define END_GRACE_NS \
    10000000000 /* it warns its ranks, waits a second, and kills them; of hosts that are cut off it may wait for ever */
#define HOLDER_NS 1000000000 /* a process that outlives mpirun may hold its standard error open; that one is not waited for */

/* One wish may come as two signals: `timeout` tells a process and then its group, a shell that hangs up and then the kernel
 * tell its jobs, a service manager sends SIGTERM and SIGHUP. A person who presses Ctrl-C twice means it, and is not faster than
 * this. */
#define ECHO_NS 1000000000
#define ECHO_OF_KEY_NS 100000000

static volatile sig_atomic_t save_asked, pause_asked, stop_asked, end_asked; /* the last two: by which signal; 0: not */
static volatile int64_t stop_asked_ns;

static void on_signal(int number)
{
    const int64_t now = clock_now_ns();
    if (number == SIGUSR1) {
        save_asked = 1;
    } else if (number == SIGTSTP) {
        pause_asked = 1;
    } else if (!stop_asked) {
        stop_asked_ns = now;
        stop_asked = number;
    } else if (now - stop_asked_ns > (number == SIGINT ? ECHO_OF_KEY_NS : ECHO_NS)) {
        end_asked = number;
    }
}

static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGTSTP, SIGPIPE};
#define WATCHED (sizeof watched / sizeof *watched)

/* Whoever reads what is said may be gone before the job is: a terminal that hung up, a `tee` that got the same Ctrl-C. That
 * ends nothing. A hang-up that is ignored (nohup) stays ignored, and so does ^Z. */
static void watch_signals(struct sigaction old[WATCHED])
{
    const struct sigaction action = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    save_asked = pause_asked = stop_asked = end_asked = 0;
    signal(SIGTTOU,
           SIG_IGN); /* in the background of a terminal with `stty tostop`, too, a job goes on and says what it has to */
    for (size_t i = 0; i < WATCHED; i++) {
        sigaction(watched[i], NULL, &old[i]);
        const bool may_be_ignored = watched[i] == SIGHUP || watched[i] == SIGTSTP;
        const bool ignored = watched[i] == SIGPIPE || (may_be_ignored && old[i].sa_handler == SIG_IGN);
        sigaction(watched[i], ignored ? &ignore : &action, NULL);
    }
}

/* child_exec - in the child, only async-signal-safe calls. A process group of its own, so that ^C at the terminal and its
 * hang-up reach this process alone, which asks the ranks to save first; to mpirun both are the order to end them. That group is
 * in the background of the terminal, where `stty tostop` would stop every process that writes: the ranks' standard output is to
 * go on. */
static void child_exec(const char *program, char **words, int output_fd, int error_fd)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(output_fd, STDOUT_FILENO);
    dup2(error_fd, STDERR_FILENO);
    signal(SIGINT, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL); /* mpirun waits for ever where the files that it shares with its ranks cannot grow */
    signal(SIGTERM, SIG_DFL);
    signal(SIGTSTP, SIG_DFL);
    if (signal(SIGHUP, SIG_DFL) == SIG_IGN)
        signal(SIGHUP, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    signal(SIGUSR1, SIG_IGN); /* until mpirun and, later, ranks want to know them */
    signal(SIGUSR2, SIG_IGN);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(program, words);
    static const char failed[] = "mpirun could not be executed\n";
    ssize_t written = write(STDERR_FILENO, failed, sizeof failed - 1);
    (void)written;
    _exit(127);
}

/* A child that means what mpirun means by a signal from its first moment on: one that came between fork and child_exec's calls
 * would find our own handler there, and end nothing. */
static pid_t fork_child(const char *program, char **words, int output_fd, int error_fd)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    const pid_t child = fork();
    if (child == 0)
        child_exec(program, words, output_fd, error_fd);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return child;
}

/* An mpirun, while it runs. */
typedef struct mpirun_job {
    pid_t child;
    mpirun_death_t *death;
    rank_watch_t watch;
    int64_t start_ns, start_most_ns; /* most: until its ranks are together; 0: any time */
    int64_t stop_ns;                 /* when it was told to stop last; 0: never */
    int64_t end_ns;                  /* when it was told to end; 0: not yet */
    int64_t gone_ns;                 /* when it had ended; 0: not yet */
    int result;
} mpirun_job_t;

static void end_job(mpirun_job_t *job)
{
    if (!job->end_ns) {
        job->end_ns = clock_now_ns();
        job->death->ending = true;
        kill(job->child, SIGTERM);
    }
}

/* ^Z: the job stops with us, and goes on when we do. Time that passes meanwhile counts against no deadline. */
static void pause_job(mpirun_job_t *job)
{
    const int64_t now = clock_now_ns();
    pause_asked = 0;
    process_signal_tree(job->child, SIGSTOP);
    raise(SIGSTOP);
    process_signal_tree(job->child, SIGCONT);
    job->start_ns += clock_now_ns() - now;
}

/* mpirun hands SIGUSR1 and SIGUSR2 on to the ranks; SIGTERM makes it end them, with a second between the first warning and
 * SIGKILL. As long as there are no ranks who could save, the wish to stop is the wish to end. */
static void relay_signals(mpirun_job_t *job)
{
    const int64_t now = clock_now_ns();
    if (pause_asked)
        pause_job(job);
    if (save_asked) {
        save_asked = 0;
        kill(job->child, SIGUSR1);
    }
    if (end_asked || (stop_asked && !job->death->together))
        end_job(job);
    if (stop_asked && !job->end_ns && (!job->stop_ns || now - job->stop_ns > REPEAT_NS)) {
        job->stop_ns = now;
        kill(job->child, SIGUSR2);
    }
}

/* A start that never happens ends, a job that neither goes on nor ends, and an end too. */
static void keep_deadlines(mpirun_job_t *job)
{
    char text[160];
    const int64_t now = clock_now_ns(), grace = job->death->together ? END_GRACE_NS : START_GRACE_NS;
    if (job->start_most_ns && !job->death->together && now - job->start_ns > job->start_most_ns && !job->end_ns) {
        job->death->timed_out = true;
        end_job(job);
    }
    if (job->death->together && !job->end_ns && rank_watch_is_lost(&job->watch, now, text, sizeof text)) {
        log_error("%s; the job ends", text);
        job->death->lost = true;
        job->end_ns = now;
        process_signal_tree(
            job->child,
            SIGKILL); /* an mpirun that waits for a host that is cut off dies of SIGTERM, with a page of addresses */
    }
    if (job->end_ns && now - job->end_ns > grace)
        process_signal_tree(job->child, SIGKILL);
}

/* Whether mpirun has ended. */
static bool is_gone(mpirun_job_t *job)
{
    if (!job->gone_ns && waitpid(job->child, &job->result, WNOHANG) == job->child)
        job->gone_ns = clock_now_ns();
    return job->gone_ns != 0;
}

/* What mpirun and the ranks say on standard error; false at its end. */
static bool pass_messages(int fd, mpirun_sieve_t *sieve)
{
    char text[4096];
    const ssize_t n = read(fd, text, sizeof text);
    if (n > 0)
        mpirun_sieve_feed(sieve, text, (size_t)n);
    return n > 0 || (n < 0 && errno == EINTR);
}

/* A pipe whose reader went, and a terminal that hung up, miss nothing. */
static bool has_reader(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLOUT};
    return poll(&item, 1, 0) < 0 || !(item.revents & (POLLERR | POLLHUP));
}

/* The results, which rank 0 prints; false at their end. They go through the process's own standard output, because mpirun ends
 * well where it cannot write (a full disk). The live line is wiped before them. */
static bool pass_output(int fd, mpirun_sieve_t *sieve)
{
    char text[4096];
    const ssize_t n = read(fd, text, sizeof text);
    mpirun_sieve_quiet(sieve);
    if (n > 0 && has_reader(STDOUT_FILENO)) {
        fwrite(text, 1, (size_t)n, stdout);
        fflush(stdout); /* main notices what fails */
    }
    return n > 0 || (n < 0 && errno == EINTR);
}

static void relay(mpirun_job_t *job, int messages, int output)
{
    mpirun_sieve_t *sieve = mpirun_sieve_create(job->death);
    struct pollfd items[] = {{.fd = messages, .events = POLLIN}, {.fd = output, .events = POLLIN}};
    while (items[0].fd >= 0 || items[1].fd >= 0 || !is_gone(job)) {
        if (!is_gone(job)) {
            relay_signals(job);
            keep_deadlines(job);
        } else if (clock_now_ns() - job->gone_ns > HOLDER_NS) {
            break;
        }
        int ready = poll(items, 2, mpirun_sieve_is_between(sieve) ? QUIET_MS : 200);
        if (ready == 0)
            mpirun_sieve_quiet(sieve);
        if (ready <= 0)
            continue;
        if (items[0].revents && !pass_messages(messages, sieve))
            items[0].fd = -1;
        if (items[1].revents && !pass_output(output, sieve))
            items[1].fd = -1;
    }
    mpirun_sieve_end(&sieve);
}

static status_t run(const char *mpirun, const words_t *words, const mpirun_limits_t *limits, mpirun_death_t *death,
                    int *exit_code)
{
    int messages[2], output[2];
    if (pipe2(messages, O_CLOEXEC) != 0)
        return FAIL(ST_SYSTEM, "no pipe for mpirun's messages: %s", strerror(errno));
    if (pipe2(output, O_CLOEXEC) != 0) {
        close(messages[0]);
        close(messages[1]);
        return FAIL(ST_SYSTEM, "no pipe for mpirun's output: %s", strerror(errno));
    }
    struct sigaction old[WATCHED];
    watch_signals(old);
    mpirun_job_t job = {
        .death = death, .start_ns = clock_now_ns(), .start_most_ns = limits->start_most_s * INT64_C(1000000000)};
    death->launcher = job.child = fork_child(mpirun, words->word, output[1], messages[1]);
    job.watch = rank_watch_start(job.child, limits->deadline_s);
    close(output[1]);
    close(messages[1]);
    status_t status = ST_OK;
    if (job.child < 0) {
        status = FAIL(ST_SYSTEM, "no new process for mpirun: %s", strerror(errno));
    } else {
        relay(&job, messages[0], output[0]);
        death->launcher_signal = WIFSIGNALED(job.result) ? WTERMSIG(job.result) : 0;
        *exit_code = death->launcher_signal ? 128 + death->launcher_signal : WEXITSTATUS(job.result);
        death->interrupted = end_asked ? end_asked : stop_asked;
        death->ended = end_asked;
    }
    close(output[0]);
    close(messages[0]);
    for (size_t i = 0; i < WATCHED; i++)
        sigaction(watched[i], &old[i], NULL);
    return status;
}

/* ---- an mpirun that is not Open MPI's ---- */

#define VERSION_MS 5000 /* a wrapper that asks something, or waits for a network, tells nothing */

/* What `mpirun --version` says, in one line; "" where it says nothing. */
static void read_version(const char *mpirun, char *text, size_t size)
{
    char *words[] = {(char *)(uintptr_t) "mpirun", (char *)(uintptr_t) "--version", NULL};
    int fds[2];
    size_t n = 0;
    text[0] = 0;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return;
    const pid_t child = fork_child(mpirun, words, fds[1], fds[1]);
    close(fds[1]);
    struct pollfd item = {.fd = fds[0], .events = POLLIN};
    for (ssize_t got = 1; child > 0 && got > 0 && n + 1 < size && poll(&item, 1, VERSION_MS) > 0;
         n += got > 0 ? (size_t)got : 0)
        got = read(fds[0], text + n, size - 1 - n);
    text[n] = 0;
    close(fds[0]);
    if (child > 0) {
        process_signal_tree(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
}

/* No rank has started: is that because this mpirun cannot start ours? */
static status_t check_kind(const char *mpirun)
{
    char text[512];
    read_version(mpirun, text, sizeof text);
    if (strstr(text, "Open MPI") || strstr(text, "OpenRTE"))
        return ST_OK;
    text[strcspn(text, "\r\n")] = 0;
    return FAIL(ST_INPUT,
                "the first mpirun in PATH, %s, is not Open MPI's (to --version it says \"%.100s\"); put the folder of Open "
                "MPI's first in PATH, or "
                "start the ranks yourself with Open MPI's mpirun",
                mpirun, text);
}

/* What mpirun itself needs, measured with Open MPI 4.1: 28 and 4 for each rank, and a few more. With fewer it fails in many
 * ways, and mostly for ever. */
static status_t check_descriptors(int np)
{
    char who[64];
    snprintf(who, sizeof who, "mpirun with %d ranks", np);
    return descriptors_check(descriptors_limit(), 32 + 5 * (int64_t)np, who);
}

status_t mpirun_spawn(int np, char *const argv[], const mpirun_limits_t *limits, mpirun_death_t *death, int *exit_code)
{
    ASSERT(np >= 1 && argv && limits->start_most_s >= 0);
    char mpirun[PATH_MAX], binary[PATH_MAX];
    TRY(find_mpirun(mpirun));
    TRY(own_path(binary));
    TRY(check_descriptors(np));
    words_t words = {0};
    build_line(&words, binary, np, argv);
    log_line(&words);
    *death = (mpirun_death_t){.rank = -1};
    setenv(LAUNCH_BY_SMELTER, "1", 1);
    mpirun_guard_t guard = mpirun_guard_arm(limits->listen, limits->ports);
    status_t status = run(mpirun, &words, limits, death, exit_code);
    mpirun_guard_disarm(&guard);
    free_words(&words);
    if (status == ST_OK && death->here == 0 && !death->interrupted)
        status = check_kind(mpirun);
    return status;
}
