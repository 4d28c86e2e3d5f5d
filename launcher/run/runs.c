#include "launcher/run/runs.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"

#define DEPTH 2 /* DIR/VARIANT/rREPLICA */

typedef struct run_walk {
    const char *mark;
    status_t (*visit)(void *context, const char *run_dir);
    void *context;
} run_walk_t;

static int is_child(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static status_t go_down(const run_walk_t *walk, const char *dir, int depth)
{
    char *mark = mem_printf("%s/%s", dir, walk->mark);
    const bool is_run = file_exists(mark);
    mem_free(mark);
    if (is_run)
        return walk->visit(walk->context, dir);
    struct dirent **entries;
    const int n = depth > 0 ? scandir(dir, &entries, is_child, alphasort) : 0;
    status_t status = ST_OK;
    for (int i = 0; i < n; i++) {
        char *child = mem_printf("%s/%s", dir, entries[i]->d_name);
        if (status == ST_OK)
            status = go_down(walk, child, depth - 1);
        mem_free(child);
        free(entries[i]);
    }
    if (n > 0)
        free(entries);
    return status;
}

status_t runs_visit(const char *dir, const char *mark, status_t (*visit)(void *context, const char *run_dir), void *context)
{
    return go_down(&(run_walk_t){mark, visit, context}, dir, DEPTH);
}

typedef struct replica_search {
    const char *dir;
    runs_list_t *list;
} replica_search_t;

static void add(runs_list_t *list, const char *folder)
{
    MEM_GROW(list->folder, list->capacity, (size_t)list->n + 1);
    list->folder[list->n++] = mem_strdup(folder);
}

static status_t see(void *context, const char *run_dir)
{
    const replica_search_t *search = context;
    const size_t above = strlen(search->dir);
    if (run_dir[above] && strchr(run_dir + above + 1, '/'))
        return FAIL(ST_INPUT, "%s holds the runs of several variants; name the folder of one of them, as in %.*s", search->dir,
                    (int)(strrchr(run_dir, '/') - run_dir), run_dir);
    add(search->list, run_dir);
    return ST_OK;
}

status_t runs_replicas(const char *dir, runs_list_t *out)
{
    *out = (runs_list_t){0};
    TRY(runs_visit(dir, FILE_CONFIG, see, &(replica_search_t){dir, out}));
    if (out->n == 0)
        add(out, dir);
    return ST_OK;
}

void runs_list_fini(runs_list_t *list)
{
    for (int i = 0; i < list->n; i++)
        mem_free(list->folder[i]);
    mem_free(list->folder);
    *list = (runs_list_t){0};
}

char *path_absolute(const char *path)
{
    char *found = realpath(path, NULL);
    char *absolute = mem_strdup(found ? found : path);
    free(found);
    return absolute;
}
