#include "launcher/figures/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"

#define FONT "DejaVu Sans,Verdana,sans-serif" /* the first that is there; DejaVu comes with gnuplot's packages */
#define SAID_BYTES 600                        /* of what gnuplot says about a mistake: its line, a caret, the reason */

/* The exit code of a child that could not be gnuplot. */
#define NOT_STARTED 127

/* Run gnuplot in `dir`; *code is its exit code, `said` the start of what it wrote. */
static status_t run(const char *dir, const char *const *words, int *code, char said[SAID_BYTES])
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return FAIL(ST_SYSTEM, "no pipe for gnuplot's messages: %s", strerror(errno));
    pid_t child = fork();
    if (child == 0) {
        const int null = open("/dev/null", O_RDWR);
        if (chdir(dir) == 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(fds[1], STDOUT_FILENO) >= 0 &&
            dup2(fds[1], STDERR_FILENO) >= 0)
            execvp("gnuplot", (char *const *)words);
        _exit(NOT_STARTED);
    }
    close(fds[1]);
    size_t used = 0;
    char text[512];
    for (ssize_t n; child > 0 && ((n = read(fds[0], text, sizeof text)) > 0 || (n < 0 && errno == EINTR));)
        if (n > 0) {
            const size_t room = SAID_BYTES - 1 - used, take = (size_t)n < room ? (size_t)n : room;
            memcpy(said + used, text, take);
            used += take;
        }
    said[used] = 0;
    close(fds[0]);
    if (child < 0)
        return FAIL(ST_SYSTEM, "no new process for gnuplot: %s", strerror(errno));
    int result = 0;
    while (waitpid(child, &result, 0) < 0 && errno == EINTR)
        ;
    *code = WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
    return ST_OK;
}

static status_t missing(void)
{
    return FAIL(ST_INPUT, "gnuplot, which draws the figures, is not installed; install it with: apt-get install gnuplot-nox");
}

status_t gnuplot_check(void)
{
    static const char *const words[] = {"gnuplot", "--version", NULL};
    char said[SAID_BYTES];
    int code;
    TRY(run(".", words, &code, said));
    return code == 0 ? ST_OK : missing();
}

/* What a log line can hold: lines joined, runs of spaces and gnuplot's caret left out. */
static void one_line(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++)
        if (*from != '^' && (*from > ' ' || (to > text && to[-1] != ' ')))
            *to++ = *from > ' ' ? *from : ' ';
    *to = 0;
}

static status_t draw(const char *dir, const char *file, const char *prelude)
{
    const char *const words[] = {"gnuplot", "-e", prelude, file, NULL};
    char said[SAID_BYTES];
    int code;
    TRY(run(dir, words, &code, said));
    if (code == NOT_STARTED)
        return missing();
    one_line(said);
    return code == 0 ? ST_OK : FAIL(ST_INPUT, "gnuplot could not draw %s/%s (exit code %d): %s", dir, file, code, said);
}

status_t gnuplot_draw(const char *dir, const char *name, const char *script, int width, int height)
{
    char *svg =
        mem_printf("set terminal svg size %d,%d dynamic enhanced font '" FONT ",12' background '#ffffff'; set output '%s.svg'; "
                   "vector=1",
                   width, height, name);
    char *png =
        mem_printf("set terminal pngcairo size %d,%d enhanced font 'DejaVu Sans,12' fontscale 2 linewidth 2 pointscale 2; "
                   "set output '%s.png'; vector=0",
                   2 * width, 2 * height, name);
    char *path = mem_printf("%s/%s.gp", dir, name), *file = mem_printf("%s.gp", name);
    char *text = mem_printf("# gnuplot -e \"%s\" %s\n# gnuplot -e \"%s\" %s\n%s", svg, file, png, file, script);
    status_t status;
    TRY_DONE(file_write_atomic(path, text, strlen(text)));
    TRY_DONE(draw(dir, file, svg));
    TRY_DONE(draw(dir, file, png));
done:
    mem_free(svg);
    mem_free(png);
    mem_free(path);
    mem_free(file);
    mem_free(text);
    return status;
}
