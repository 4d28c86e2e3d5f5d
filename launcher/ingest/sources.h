/* sources.h - the files that an import reads, one after the other: of names of files, patterns (days/click-*.csv), folders of
 * part files, and - for standard input.
 *
 * Files of a pattern or a folder come sorted by name, byte by byte. In folders, and where a pattern is not more exact, names
 * that begin with . or _ (_SUCCESS, .part-0.crc) are left out. */
#ifndef SMELTER_SOURCES_H
#define SMELTER_SOURCES_H

#include <stddef.h>

#include "common/base/status.h"

#define SOURCE_STDIN "-"

typedef struct sources {
    char **paths; /* **owned**; SOURCE_STDIN among them at most once */
    int count;
    size_t capacity;
    char *left_out; /* **owned**, names in folders that were, for people; NULL: none */
} sources_t;

/* sources_find - out is added to; sources_fini either way.
 *
 * specs  [n] at least one. What is no pattern and no folder is a file, whether it is there or not
 * ST_INPUT: a pattern matches nothing, a folder has no file or another folder in it, a file comes twice, or the files are of
 * two formats by their names. */
WARN_UNUSED status_t sources_find(const char *const *specs, int n, sources_t *out);
void sources_fini(sources_t *sources);

/* sources_lines - the specs of a text that has one a line, as data.input is; **owned**, mem_free: the array and its first
 * element. */
char **sources_lines(const char *text, int *n);

#endif
