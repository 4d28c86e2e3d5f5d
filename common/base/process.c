#include "common/base/process.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

typedef struct link {
    pid_t pid, parent;
} link_t;

/* The parent as /proc/PID/stat says: "PID (NAME) STATE PARENT ..."; NAME may hold anything. -1: gone. */
static pid_t parent_of(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    const size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    const char *end = strrchr(text, ')');
    int parent;
    return end && sscanf(end + 1, " %*c %d", &parent) == 1 ? (pid_t)parent : -1;
}

static size_t read_links(link_t **out)
{
    size_t n = 0, capacity = 0;
    DIR *dir = opendir("/proc");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid <= 0)
            continue;
        MEM_GROW(*out, capacity, n + 1);
        (*out)[n++] = (link_t){pid, parent_of(pid)};
    }
    if (dir)
        closedir(dir);
    return n;
}

static void signal_below(const link_t *links, size_t n, pid_t root, int number)
{
    kill(root, number);
    for (size_t i = 0; i < n; i++)
        if (links[i].parent == root && links[i].pid != root)
            signal_below(links, n, links[i].pid, number);
}

void process_signal_tree(pid_t root, int number)
{
    link_t *links = NULL;
    const size_t n = read_links(&links);
    signal_below(links, n, root, number);
    mem_free(links);
}
