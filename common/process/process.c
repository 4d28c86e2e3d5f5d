#include "common/process/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

/* /proc/PID/stat: "PID (NAME) STATE PARENT ..", where NAME may hold anything; the start is number 22. */
bool process_read(pid_t pid, process_t *out)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    const size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    const char *end = strrchr(text, ')');
    int parent;
    uint64_t start;
    char state;
    if (!end || sscanf(end + 1, " %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64, &state,
                       &parent, &start) != 3)
        return false;
    *out = (process_t){pid, (pid_t)parent, state, start};
    return true;
}

static size_t read_all(process_t **out)
{
    size_t n = 0, capacity = 0;
    DIR *dir = opendir("/proc");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid <= 0)
            continue;
        MEM_GROW(*out, capacity, n + 1);
        n += process_read(pid, &(*out)[n]);
    }
    if (dir)
        closedir(dir);
    return n;
}

size_t process_children(pid_t parent, process_t **out)
{
    process_t *all = NULL;
    const size_t n = read_all(&all);
    size_t children = 0;
    for (size_t i = 0; i < n; i++)
        if (all[i].parent == parent)
            all[children++] = all[i];
    *out = all;
    return children;
}

static void signal_below(const process_t *all, size_t n, pid_t root, int number)
{
    kill(root, number);
    for (size_t i = 0; i < n; i++)
        if (all[i].parent == root && all[i].pid != root)
            signal_below(all, n, all[i].pid, number);
}

void process_signal_tree(pid_t root, int number)
{
    process_t *all = NULL;
    const size_t n = read_all(&all);
    signal_below(all, n, root, number);
    mem_free(all);
}
