/* mpirun writes its own messages into the same stream as its ranks' standard error, framed by lines of dashes:
 *
 *     --------------------------------------------------------------------------
 *     mpirun noticed that process rank 2 with PID 0 on node vm exited on signal 9 (Killed).
 *     --------------------------------------------------------------------------
 *
 * Lines of ranks (they begin with a time of day) may fall between them. So a line of dashes opens a block; lines of our own
 * pass at once, the others are held until the next line of dashes; a block with one of the known messages is parsed and
 * dropped, any other is shown whole. Outside a block everything passes at once, unfinished lines (progress) included.     */
#include "launcher/job/mpirun_sieve.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/terminal.h"
#include "common/cluster/launch.h"

#define LINE_BYTES 4096  /* a longer line is passed in pieces */
#define BLOCK_BYTES 8192 /* mpirun's longest messages have about 2 KiB; more is not one of them */

struct mpirun_sieve {
    mpirun_death_t *death;
    char line[LINE_BYTES];
    size_t line_bytes;
    bool line_begun; /* the start of this line was passed already */
    bool in_block;
    char block[BLOCK_BYTES];
    size_t block_bytes;
};

mpirun_sieve_t *mpirun_sieve_create(mpirun_death_t *death)
{
    mpirun_sieve_t *sieve = MEM_NEW(mpirun_sieve_t);
    sieve->death = death;
    return sieve;
}

bool mpirun_sieve_is_between(const mpirun_sieve_t *sieve)
{
    return sieve->line_bytes > 0;
}

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

/* clear_bytes - what wipes the live line in front of a line of a rank; 0 where nothing does. */
static size_t clear_bytes(const char *line, size_t n)
{
    const size_t length = strlen(LOG_CLEAR_LINE);
    return n > length && memcmp(line, LOG_CLEAR_LINE, length) == 0 ? length : 0;
}

/* pass_log_line - a whole line of a rank, as the terminal can show it where there is one. */
static void pass_log_line(const char *line, size_t n)
{
    const int width = terminal_width(STDERR_FILENO);
    const bool colour = terminal_has_colour(STDERR_FILENO);
    char shown[4 * LINE_BYTES];
    if ((width || colour) && line[n - 1] == '\n')
        pass(shown, terminal_log_line(shown, sizeof shown, line, n, width, colour));
    else
        pass(line, n);
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
    mpirun_death_t found = *death;
    found.seen = true;
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

static void close_block(mpirun_sieve_t *sieve)
{
    sieve->block[sieve->block_bytes] = 0;
    if (!parse_death(sieve->block, sieve->death)) {
        pass(log_line_start(), strlen(log_line_start()));
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
    static const char *const noise[] = {"sent help message",         "orte_base_help_aggregate",
                                        "mpirun: killing job",       "mpirun: abort is already in progress",
                                        "orte/util/show_help.c",     "[warn] Epoll ",
                                        "mpirun: Forwarding signal "};
    char copy[LINE_BYTES + 1];
    memcpy(copy, line, n);
    copy[n] = 0;
    for (size_t i = 0; i < sizeof noise / sizeof *noise; i++)
        if (strstr(copy, noise[i]))
            return true;
    return false;
}

/* is_last_word - "[node1:4711] *** Process received signal ***", and the frames below it: Open MPI's mpirun now and then
 * crashes where it is told to end while its ranks do, which is of no interest. */
static bool is_last_word(const mpirun_death_t *death, const char *line, size_t n)
{
    char copy[LINE_BYTES + 1], mark[24];
    snprintf(mark, sizeof mark, ":%d] ", (int)death->launcher);
    memcpy(copy, line, n);
    copy[n] = 0;
    const char *end = strchr(copy, ' ');
    return death->ending && line[0] == '[' && end && (size_t)(end - copy) + 1 > strlen(mark) &&
           strncmp(end + 1 - strlen(mark), mark, strlen(mark)) == 0;
}

/* take_news - lines of ranks that are for the starter alone. */
static bool take_news(mpirun_death_t *death, const char *line, size_t n)
{
    const launch_news_t news = launch_heard(line, n);
    death->here += news == LAUNCH_NEWS_HERE;
    death->together = death->together || news == LAUNCH_NEWS_TOGETHER;
    return news != LAUNCH_NEWS_NONE || launch_heard_servers(line, n, death->servers);
}

static void end_line(mpirun_sieve_t *sieve)
{
    const char *line = sieve->line;
    size_t n = sieve->line_bytes;
    sieve->line_bytes = 0;
    bool begun = sieve->line_begun;
    sieve->line_begun = n > 0 && line[n - 1] != '\n' && line[n - 1] != '\r';
    if (n == 0)
        return;
    if (take_news(sieve->death, line, n))
        return;
    const size_t clear = clear_bytes(line, n);
    if (begun) {
        pass(line, n);
    } else if (is_own_line(line + clear, n - clear)) {
        pass_log_line(line, n);
    } else if (is_last_word(sieve->death, line, n)) {
        return;
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
        if (line[0] != '\r') /* of somebody who does not know that there may be a live line */
            pass(log_line_start(), strlen(log_line_start()));
        pass(line, n);
    }
}

void mpirun_sieve_feed(mpirun_sieve_t *sieve, const char *text, size_t n)
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

void mpirun_sieve_quiet(mpirun_sieve_t *sieve)
{
    if (sieve->line_bytes > 0 && sieve->line[0] != '-' && !sieve->in_block)
        end_line(sieve);
}

void mpirun_sieve_end(mpirun_sieve_t **out)
{
    mpirun_sieve_t *sieve = *out;
    end_line(sieve);
    if (sieve->in_block && sieve->block_bytes > 0)
        close_block(sieve);
    mem_free(sieve);
    *out = NULL;
}
