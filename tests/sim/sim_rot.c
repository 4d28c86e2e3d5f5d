#include "tests/sim/sim_rot.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"

#define FLIPS 16
#define DESCRIPTORS 8 /* of nftw */

typedef struct flip {
    char *path;
    off_t at;
    unsigned char was, is;
} flip_t;

static flip_t flips[FLIPS];
static int n_flips;

/* The files that nftw finds. */
static char **found;
static size_t n_found, found_capacity;

/* LMDB's files without checksums are those of a store that was cut off; lock files have nothing to say. */
static bool is_spared(const char *path)
{
    const char *end = strstr(path, "/data.mdb");
    char *sums = mem_printf("%.*s/data.sums", end ? (int)(end - path) : 0, path);
    const bool is_open = end && access(sums, F_OK) != 0;
    mem_free(sums);
    return is_open || strstr(path, "/lock.mdb");
}

static int note(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)ftw;
    if (kind != FTW_F || st->st_size == 0 || is_spared(path))
        return 0;
    MEM_GROW(found, found_capacity, n_found + 1);
    found[n_found++] = mem_strdup(path);
    return 0;
}

static int compare_paths(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static bool read_byte(int fd, off_t at, unsigned char *byte)
{
    return fd >= 0 && pread(fd, byte, 1, at) == 1;
}

static void flip_bit(const char *path, double (*draw)(void *context), void *context)
{
    struct stat st;
    flip_t flip = {.path = mem_strdup(path)};
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    ASSERT(fd >= 0 && fstat(fd, &st) == 0);
    flip.at = (off_t)(draw(context) * (double)st.st_size);
    ASSERT(read_byte(fd, flip.at, &flip.was));
    flip.is = (unsigned char)(flip.was ^ 1 << (int)(draw(context) * 8));
    ASSERT(pwrite(fd, &flip.is, 1, flip.at) == 1);
    close(fd);
    flips[n_flips++] = flip;
    if (getenv("SIM_VERBOSE"))
        fprintf(stderr, "    a bit flips in byte %" PRId64 " of %s\n", (int64_t)flip.at, path);
}

void sim_rot_flip(const char *folder, double (*draw)(void *context), void *context)
{
    n_found = 0;
    ASSERT(nftw(folder, note, DESCRIPTORS, FTW_PHYS) == 0);
    qsort(found, n_found, sizeof *found, compare_paths);
    if (n_found > 0 && n_flips < FLIPS)
        flip_bit(found[(size_t)(draw(context) * (double)n_found)], draw, context);
    for (size_t i = 0; i < n_found; i++)
        mem_free(found[i]);
    mem_free(found);
    found = NULL;
    found_capacity = 0;
}

bool sim_rot_is_named(const char *text)
{
    for (int i = 0; i < n_flips; i++) {
        const char *path = flips[i].path, *end = strstr(path, "/data.");
        char *name = mem_printf("%.*s", end ? (int)(end - path) : (int)strlen(path), path);
        const bool is_there = strstr(text, name);
        mem_free(name);
        if (is_there)
            return true;
    }
    return false;
}

void sim_rot_heal(void)
{
    while (n_flips > 0) {
        flip_t *flip = &flips[--n_flips];
        const int fd = open(flip->path, O_RDWR | O_CLOEXEC);
        unsigned char now;
        if (read_byte(fd, flip->at, &now) && now == flip->is)
            ASSERT(pwrite(fd, &flip->was, 1, flip->at) == 1);
        if (fd >= 0)
            close(fd);
        mem_free(flip->path);
    }
}

void sim_rot_forget(void)
{
    while (n_flips > 0)
        mem_free(flips[--n_flips].path);
}
