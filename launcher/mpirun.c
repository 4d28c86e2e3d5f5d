/* mpirun.c - build the line, run it, sieve what mpirun says.
 *
 * The sieve. mpirun writes its own messages into the same stream as its ranks' standard error, framed by lines of dashes:
 *
 *     --------------------------------------------------------------------------
 *     mpirun noticed that process rank 2 with PID 0 on node vm exited on signal 9 (Killed).
 *     --------------------------------------------------------------------------
 *
 * Lines of ranks (they begin with a time of day) may fall between them. So a line of dashes opens a block; lines of our own
 * pass at once, the others are held until the next line of dashes; a block with one of the known messages is parsed and
 * dropped, any other is shown whole. Outside a block everything passes at once, unfinished lines (progress) included.     */
#include "launcher/mpirun.h"

#include <ctype.h>
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

#define LINE_BYTES 4096  /* a longer line is passed in pieces */
#define BLOCK_BYTES 8192 /* mpirun's longest messages have about 2 KiB; more is not one of them */
#define QUIET_MS 30      /* an unfinished line is shown after this */

typedef struct sieve {
    mpirun_death_t *death;
    char line[LINE_BYTES];
    size_t line_bytes;
    bool line_begun; /* the start of this line was passed already */
    bool in_block;
    char block[BLOCK_BYTES];
    size_t block_bytes;
} sieve_t;

static void pass(const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(STDERR_FILENO, text, bytes);
        if (n < 0 && errno != EINTR)
            return; /* there is nowhere left to report a failing standard error */
        if (n > 0) {
            text += n;
            bytes -= (size_t)n;
        }
    }
}

/* is_own_line - "12:34:56.789 role: text", as log.c writes. */
static bool is_own_line(const char *line, size_t n)
{
    static const char pattern[] = "dd:dd:dd.ddd ";
    if (n < sizeof pattern - 1)
        return false;
    for (size_t i = 0; i < sizeof pattern - 1; i++)
        if (pattern[i] == 'd' ? !isdigit((unsigned char)line[i]) : line[i] != pattern[i])
            return false;
    return true;
}

static bool is_rule(const char *line, size_t n)
{
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
        n--;
    for (size_t i = 0; i < n; i++)
        if (line[i] != '-')
            return false;
    return n >= 60;
}

/* parse_death - facts from a complete block; false where it is no message about a failed rank. The first failure counts. An
 * MPI_ABORT yields none: that rank has said why itself, and Open MPI 4.1 loses the message every few runs. */
static bool parse_death(const char *block, mpirun_death_t *death)
{
    mpirun_death_t found = {.seen = true, .rank = -1};
    const char *at;
    if ((at = strstr(block, "noticed that process rank "))) {
        int signal_number = 0;
        if (sscanf(at, "noticed that process rank %d with PID %*d on node %63s exited on signal %d", &found.rank, found.node,
                   &signal_number) < 2)
            return false;
        found.signal = signal_number;
        found.exit_code = signal_number ? 128 + signal_number : 0;
    } else if (strstr(block, "processes exited with non-zero status")) {
        at = strstr(block, "Process name: [[");
        if (at && sscanf(at, "Process name: [[%*d,%*d],%d]", &found.rank) != 1)
            found.rank = -1;
        at = strstr(block, "Exit code:");
        if (at && sscanf(at, "Exit code: %d", &found.exit_code) != 1)
            return false;
    } else {
        return strstr(block, "Primary job  terminated normally") || strstr(block, "MPI_ABORT was invoked on rank ");
    }
    if (!death->seen)
        *death = found;
    return true;
}

static const char rule[] = "--------------------------------------------------------------------------\n";

static void close_block(sieve_t *sieve)
{
    sieve->block[sieve->block_bytes] = 0;
    if (!parse_death(sieve->block, sieve->death)) {
        pass(rule, sizeof rule - 1);
        pass(sieve->block, sieve->block_bytes);
        pass(rule, sizeof rule - 1);
    }
    sieve->in_block = false;
    sieve->block_bytes = 0;
}

/* Single lines of mpirun outside of blocks that say nothing a person needs. */
static bool is_noise(const char *line, size_t n)
{
    static const char *const noise[] = {
        "more processes have sent help message", "orte_base_help_aggregate", "mpirun: killing job",
        "mpirun: abort is already in progress",  "orte/util/show_help.c",    "[warn] Epoll "};
    char copy[LINE_BYTES + 1];
    memcpy(copy, line, n);
    copy[n] = 0;
    for (size_t i = 0; i < sizeof noise / sizeof *noise; i++)
        if (strstr(copy, noise[i]))
            return true;
    return false;
}

static void end_line(sieve_t *sieve)
{
    const char *line = sieve->line;
    size_t n = sieve->line_bytes;
    sieve->line_bytes = 0;
    bool begun = sieve->line_begun;
    sieve->line_begun = n > 0 && line[n - 1] != '\n' && line[n - 1] != '\r';
    if (n == 0)
        return;
    if (begun || is_own_line(line, n)) {
        pass(line, n);
    } else if (is_rule(line, n)) {
        if (sieve->in_block)
            close_block(sieve);
        else
            sieve->in_block = true;
    } else if (sieve->in_block && line[0] != '\r') {
        if (sieve->block_bytes + n >= sizeof sieve->block)
            close_block(sieve);
        memcpy(sieve->block + sieve->block_bytes, line, n);
        sieve->block_bytes += n;
        sieve->in_block = true;
    } else if (!is_noise(line, n)) {
        pass(line, n);
    }
}

static void sieve_feed(sieve_t *sieve, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        /* A carriage return begins a progress line that is drawn over the last one. */
        if (text[i] == '\r' && sieve->line_bytes > 0 && i + 1 < n && text[i + 1] != '\n')
            end_line(sieve);
        sieve->line[sieve->line_bytes++] = text[i];
        if (text[i] == '\n' || sieve->line_bytes == sizeof sieve->line)
            end_line(sieve);
    }
}

/* sieve_quiet - nothing came for a moment: show an unfinished line, unless it may become one of mpirun's. */
static void sieve_quiet(sieve_t *sieve)
{
    if (sieve->line_bytes > 0 && sieve->line[0] != '-' && !sieve->in_block)
        end_line(sieve);
}

static void sieve_end(sieve_t *sieve)
{
    end_line(sieve);
    if (sieve->in_block && sieve->block_bytes > 0)
        close_block(sieve);
}

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

/* can_read_other_memory - Open MPI's single-copy mechanism needs process_vm_readv, which container runtimes often forbid;
 * then it would complain at every message. */
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

#define REPEAT_NS 1000000000 /* mpirun does not hand signals on before its ranks are there; the wish to stop is told again */

static volatile sig_atomic_t save_asked, stop_asked, end_asked; /* the last two: by which signal; 0: not */

static void on_signal(int number)
{
    if (number == SIGUSR1)
        save_asked = 1;
    else if (number == SIGINT || stop_asked)
        end_asked = number;
    else
        stop_asked = number;
}

/* child_exec - in the child, only async-signal-safe calls. A process group of its own, so that ^C at the terminal reaches
 * mpirun once, through us; twice within a few seconds makes it leave ranks behind. */
static void child_exec(const char *mpirun, char **words, int error_fd)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(error_fd, STDERR_FILENO);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGUSR1, SIG_IGN); /* until mpirun and, later, ranks want to know them */
    signal(SIGUSR2, SIG_IGN);
    execv(mpirun, words);
    static const char failed[] = "mpirun could not be executed\n";
    ssize_t written = write(STDERR_FILENO, failed, sizeof failed - 1);
    (void)written;
    _exit(127);
}

/* What was handed on to mpirun so far. */
typedef struct relayed {
    bool end;
    int64_t stop_ns; /* when it was told to stop last; 0: never */
} relayed_t;

/* mpirun hands SIGUSR1 and SIGUSR2 on to the ranks; SIGTERM makes it end them, with a second between the first warning and SIGKILL. */
static void relay_signals(pid_t child, relayed_t *relayed)
{
    const int64_t now = clock_now_ns();
    if (save_asked) {
        save_asked = 0;
        kill(child, SIGUSR1);
    }
    if (end_asked && !relayed->end) {
        relayed->end = true;
        kill(child, SIGTERM);
    }
    if (stop_asked && !relayed->end && (!relayed->stop_ns || now - relayed->stop_ns > REPEAT_NS)) {
        relayed->stop_ns = now;
        kill(child, SIGUSR2);
    }
}

static void relay(pid_t child, int fd, sieve_t *sieve)
{
    relayed_t relayed = {0};
    for (;;) {
        relay_signals(child, &relayed);
        struct pollfd item = {.fd = fd, .events = POLLIN};
        int ready = poll(&item, 1, sieve->line_bytes ? QUIET_MS : 200);
        if (ready == 0)
            sieve_quiet(sieve);
        if (ready <= 0)
            continue;
        char text[4096];
        ssize_t n = read(fd, text, sizeof text);
        if (n > 0)
            sieve_feed(sieve, text, (size_t)n);
        else if (n == 0 || errno != EINTR)
            break;
    }
    sieve_end(sieve);
}

static status_t run(const char *mpirun, const words_t *words, mpirun_death_t *death, int *exit_code)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return FAIL(ST_SYSTEM, "no pipe for mpirun's messages: %s", strerror(errno));
    static const int watched[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
    struct sigaction action = {.sa_handler = on_signal}, old[sizeof watched / sizeof *watched];
    save_asked = stop_asked = end_asked = 0;
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        sigaction(watched[i], &action, &old[i]);
    pid_t child = fork();
    if (child == 0)
        child_exec(mpirun, words->word, fds[1]);
    close(fds[1]);
    status_t status = ST_OK;
    if (child < 0) {
        status = FAIL(ST_SYSTEM, "no new process for mpirun: %s", strerror(errno));
    } else {
        sieve_t *sieve = MEM_NEW(sieve_t);
        sieve->death = death;
        relay(child, fds[0], sieve);
        mem_free(sieve);
        int result = 0;
        while (waitpid(child, &result, 0) < 0 && errno == EINTR)
            ;
        *exit_code = WIFSIGNALED(result) ? 128 + WTERMSIG(result) : WEXITSTATUS(result);
        death->interrupted = end_asked ? end_asked : stop_asked;
    }
    close(fds[0]);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        sigaction(watched[i], &old[i], NULL);
    return status;
}

status_t mpirun_spawn(int np, char *const argv[], mpirun_death_t *death, int *exit_code)
{
    ASSERT(np >= 1 && argv);
    char mpirun[PATH_MAX], binary[PATH_MAX];
    TRY(find_mpirun(mpirun));
    TRY(own_path(binary));
    words_t words = {0};
    build_line(&words, binary, np, argv);
    log_line(&words);
    *death = (mpirun_death_t){.rank = -1};
    status_t status = run(mpirun, &words, death, exit_code);
    free_words(&words);
    return status;
}
