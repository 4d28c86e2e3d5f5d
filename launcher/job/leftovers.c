/* BASE/ompi.HOST.UID/pid.4711/smelter-job, one line for each rank:
 *
 *     HOST BOOT NAMESPACE PID START PARENT START JOB
 *
 * PID and start time name a process for good on one boot of one machine, within one namespace of process numbers (containers
 * may share /tmp); the parent is the mpirun, or its daemon. JOB is Open MPI's number of the job, in the names of its files in
 * /dev/shm. */
#include "launcher/job/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/process/process.h"

#define MARK "smelter-job"
#define SHARED "/dev/shm"
#define WORD_BYTES 80

/* Where process numbers mean what they mean here. */
typedef struct place {
    char host[WORD_BYTES], boot[WORD_BYTES], space[WORD_BYTES];
} place_t;

typedef struct mark {
    place_t place;
    int pid, parent;
    uint64_t start, parent_start;
    uint32_t job;
} mark_t;

static place_t place_here(void)
{
    place_t here = {.host = "?", .boot = "?", .space = "?"};
    struct utsname name;
    char *boot = NULL;
    if (uname(&name) == 0)
        snprintf(here.host, sizeof here.host, "%.79s", name.nodename);
    if (file_exists("/proc/sys/kernel/random/boot_id") && file_read("/proc/sys/kernel/random/boot_id", &boot, NULL) == ST_OK)
        snprintf(here.boot, sizeof here.boot, "%.*s", (int)strcspn(boot, "\n "), boot);
    mem_free(boot);
    const ssize_t n = readlink("/proc/self/ns/pid", here.space, sizeof here.space - 1);
    here.space[n > 0 ? n : 0] = 0;
    return here;
}

static uint64_t start_of(int pid)
{
    process_t process;
    return process_read(pid, &process) && process.state != 'Z' ? process.start_ticks : 0;
}

void leftovers_mark(void)
{
    const char *dir = getenv("OMPI_MCA_orte_jobfam_session_dir"), *job = getenv("OMPI_MCA_ess_base_jobid");
    if (!dir || !job)
        return;
    char *path = mem_printf("%s/" MARK, dir);
    const place_t here = place_here();
    const int pid = (int)getpid(), parent = (int)getppid(),
              fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    char *line = mem_printf("%s %s %s %d %" PRIu64 " %d %" PRIu64 " %08x\n", here.host, here.boot, here.space, pid,
                            start_of(pid), parent, start_of(parent), (unsigned)strtoul(job, NULL, 10));
    if (fd >= 0 && write(fd, line, strlen(line)) < 0)
        log_debug("%s: %m", path);
    if (fd >= 0)
        close(fd);
    mem_free(line);
    mem_free(path);
}

static bool parse(const char *line, mark_t *out)
{
    return sscanf(line, "%79s %79s %79s %d %" SCNu64 " %d %" SCNu64 " %" SCNx32, out->place.host, out->place.boot,
                  out->place.space, &out->pid, &out->start, &out->parent, &out->parent_start, &out->job) == 8;
}

/* Is the folder of no use to any process that this line names? Of another host's or namespace's processes nothing is known
 * here. */
static bool is_dead(const mark_t *mark, const place_t *here)
{
    if (strcmp(mark->place.host, here->host) != 0)
        return false;
    if (strcmp(mark->place.boot, here->boot) != 0)
        return true;
    return strcmp(mark->place.space, here->space) == 0 && start_of(mark->pid) != mark->start &&
           start_of(mark->parent) != mark->parent_start;
}

static bool is_own_folder(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0 && S_ISDIR(facts.st_mode) && facts.st_uid == geteuid();
}

/* vader_segment.HOST.UID.JOB.RANK */
static int remove_shared(const char *shared, uint32_t job)
{
    char middle[48];
    int n = 0;
    snprintf(middle, sizeof middle, ".%u.%08x.", (unsigned)geteuid(), (unsigned)job);
    DIR *dir = opendir(shared);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct stat facts;
        if (strncmp(entry->d_name, "vader_segment.", 14) != 0 || !strstr(entry->d_name, middle) ||
            fstatat(dirfd(dir), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0 || facts.st_uid != geteuid() ||
            !S_ISREG(facts.st_mode))
            continue;
        n += unlinkat(dirfd(dir), entry->d_name, 0) == 0;
    }
    if (dir)
        closedir(dir);
    return n;
}

/* One session folder. */
static void look_at(const char *folder, const char *shared, const place_t *here)
{
    char *path = mem_printf("%s/" MARK, folder), *text = NULL;
    int lines = 0, living = 0, files = 0;
    mark_t mark = {.job = 0};
    if (is_own_folder(folder) && file_exists(path) && file_read(path, &text, NULL) == ST_OK)
        for (const char *line = text; *line; line += strcspn(line, "\n") + (strchr(line, '\n') != NULL), lines++)
            living += !parse(line, &mark) || !is_dead(&mark, here);
    if (lines && !living) {
        files = remove_shared(shared, mark.job);
        if (dir_remove_tree(folder) == ST_OK)
            log_info("removed what a job that was killed has left: %s, and %d files of it in %s", folder, files, shared);
    }
    mem_free(text);
    mem_free(path);
}

/* All session folders of this user on this host. */
static void look_below(const char *top, const char *shared, const place_t *here)
{
    DIR *dir = is_own_folder(top) ? opendir(top) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char *folder = mem_printf("%s/%s", top, entry->d_name);
        if (entry->d_name[0] != '.')
            look_at(folder, shared, here);
        mem_free(folder);
    }
    if (dir)
        closedir(dir);
}

void leftovers_remove_below(const char *base, const char *shared)
{
    const place_t here = place_here();
    char ending[32];
    const int n = snprintf(ending, sizeof ending, ".%u", (unsigned)geteuid());
    DIR *dir = opendir(base);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const size_t length = strlen(entry->d_name);
        if (strncmp(entry->d_name, "ompi.", 5) != 0 || length < (size_t)n ||
            strcmp(entry->d_name + length - (size_t)n, ending) != 0)
            continue;
        char *top = mem_printf("%s/%s", base, entry->d_name);
        look_below(top, shared, &here);
        mem_free(top);
    }
    if (dir)
        closedir(dir);
}

const char *leftovers_base(void)
{
    static const char *const names[] = {"OMPI_MCA_orte_tmpdir_base", "TMPDIR", "TEMP", "TMP"};
    const char *base = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !base; i++)
        base = getenv(names[i]);
    return base && *base ? base : "/tmp";
}

void leftovers_remove(void)
{
    leftovers_remove_below(leftovers_base(), SHARED);
}
