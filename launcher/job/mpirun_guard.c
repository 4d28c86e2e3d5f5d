#include "launcher/job/mpirun_guard.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/net/addresses.h"
#include "launcher/job/guard/guard_names.h"

/* The assembler takes the library in as it is; the Makefile names it as a prerequisite of this object. */
__asm__(".pushsection .rodata\n"
        "mpirun_guard_library:\n"
        ".incbin \"" SMELTER_BUILD_DIR "/launcher/job/guard.so\"\n"
        "mpirun_guard_library_end:\n"
        ".balign 8\n"
        "mpirun_guard_library_bytes:\n"
        ".quad mpirun_guard_library_end - mpirun_guard_library\n"
        ".popsection");
extern const char mpirun_guard_library[];
extern const uint64_t mpirun_guard_library_bytes;

/* A file without a name: there is nothing to install beside the binary, and nothing that somebody could put in its place. */
static int library_file(void)
{
    const int fd = memfd_create("smelter-guard", 0); /* stays open in mpirun, which opens it again by its number */
    if (fd >= 0 && write(fd, mpirun_guard_library, mpirun_guard_library_bytes) == (ssize_t)mpirun_guard_library_bytes)
        return fd;
    if (fd >= 0)
        close(fd);
    log_debug("no file in memory for the guard: %m; mpirun listens on all addresses");
    return -1;
}

mpirun_guard_t mpirun_guard_arm(const char *addresses, const char *ports)
{
    const char *before = getenv("LD_PRELOAD"), *wish = getenv(GUARD_ADDRESS);
    const bool is_off = !addresses || (wish && strcmp(wish, "off") == 0);
    mpirun_guard_t guard = {.fd = is_off ? -1 : library_file()};
    if (guard.fd < 0)
        return guard;
    guard.before = before ? mem_strdup(before) : NULL;
    char *all = mem_printf("/proc/self/fd/%d%s%s", guard.fd, before ? ":" : "", before ? before : "");
    setenv("LD_PRELOAD", all, 1);
    setenv(GUARD_ADDRESS, addresses, 1);
    if (*ports)
        setenv(GUARD_PORTS, ports, 1);
    if (before)
        setenv(GUARD_PRELOAD_BEFORE, before, 1);
    mem_free(all);
    return guard;
}

void mpirun_guard_disarm(mpirun_guard_t *guard)
{
    if (guard->fd < 0)
        return;
    close(guard->fd);
    if (guard->before)
        setenv("LD_PRELOAD", guard->before, 1);
    else
        unsetenv("LD_PRELOAD");
    unsetenv(GUARD_ADDRESS);
    unsetenv(GUARD_PORTS);
    unsetenv(GUARD_PRELOAD_BEFORE);
    mem_free(guard->before);
    *guard = (mpirun_guard_t){.fd = -1};
}

/* ---- several hosts ----------------------------------------------------------------------------------------------------- */

/* cluster.interface as Open MPI takes it, which knows names and networks, and no address alone; **owned**. */
static char *interfaces_for_mpi(const char *wanted)
{
    char *list = mem_strdup(""), *words = mem_strdup(wanted), *rest = words, *word;
    while ((word = strtok_r(rest, ", \t", &rest))) {
        address_t found[ADDRESS_CANDIDATES];
        char network[ADDRESS_NETWORK_BYTES];
        const bool is_address = strspn(word, "0123456789.") == strlen(word) && addresses_find(word, found) == 1;
        char *longer = mem_printf("%s%s%s", list, *list ? "," : "", is_address ? address_network(&found[0], network) : word);
        mem_free(list);
        list = longer;
    }
    mem_free(words);
    return list;
}

static void set_launch_agent(const char *interface, const char *ports)
{
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    if (n <= 0 || strpbrk(path, " \t"))
        return; /* mpirun cuts the line at blanks */
    char *words = mem_strdup(interface), *to = words;
    for (const char *from = interface; *from; from++) {
        const bool blank = *from == ' ' || *from == '\t';
        if (!blank || (to > words && to[-1] != ','))
            *to++ = blank ? ',' : *from;
    }
    *to = 0;
    char *agent = mem_printf("%s " MPIRUN_GUARD_DAEMON " %s@%s orted", path, words, ports);
    setenv("OMPI_MCA_orte_launch_agent", agent, 0);
    mem_free(agent);
    mem_free(words);
}

char *mpirun_guard_settings(const struct config_cluster *cluster)
{
    address_t found[ADDRESS_CANDIDATES];
    const int n = addresses_find(cluster->interface, found);
    const bool is_set = getenv("OMPI_MCA_oob_tcp_if_include") || getenv("OMPI_MCA_oob_tcp_if_exclude");
    if (n || *cluster->ports)
        set_launch_agent(cluster->interface, cluster->ports);
    if (!n) {
        char *passed_over = addresses_passed_over();
        if (*passed_over && !is_set)
            setenv("OMPI_MCA_oob_tcp_if_exclude", passed_over, 0);
        mem_free(passed_over);
        return mem_strdup(MPIRUN_GUARD_ALL);
    }
    if (!is_set) {
        char *list = interfaces_for_mpi(cluster->interface);
        setenv("OMPI_MCA_oob_tcp_if_include", list, 0);
        mem_free(list);
    }
    return address_list(found, n, false);
}

int mpirun_guard_daemon(char *const words[])
{
    address_t found[ADDRESS_CANDIDATES];
    char *at = words[1] ? strrchr(words[1], '@') : NULL;
    if (!at || !words[2])
        return 2;
    *at = 0;
    const int n = addresses_find(words[1], found);
    char *listen = n ? address_list(found, n, false) : mem_strdup(MPIRUN_GUARD_ALL);
    mpirun_guard_t guard = mpirun_guard_arm(listen, at + 1);
    mem_free(listen);
    execvp(words[2], words + 2);
    log_error("%s cannot be executed: %m; is Open MPI installed on this host, and in PATH?", words[2]);
    mpirun_guard_disarm(&guard);
    return 127;
}

/* A file has a line that is no comment, and, where a word is given, has the word. */
static bool says(const char *path, const char *word)
{
    char line[1024];
    bool found = false;
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        const char *at = line + strspn(line, " \t\r\n");
        found = *at && *at != '#' && (!word || strstr(at, word));
    }
    if (file)
        fclose(file);
    return found;
}

bool mpirun_is_local(void)
{
    static const char *const others[] = {"PBS_NODEFILE",
                                         "LSB_HOSTS",
                                         "LSB_MCPU_HOSTS",
                                         "LSB_DJOB_HOSTFILE",
                                         "PE_HOSTFILE",
                                         "FLUX_JOB_ID",
                                         "OMPI_MCA_orte_default_hostfile",
                                         "OMPI_MCA_orte_rankfile"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (getenv(others[i]))
            return false;
    const char *nodes = getenv("SLURM_JOB_NUM_NODES") ? getenv("SLURM_JOB_NUM_NODES") : getenv("SLURM_NNODES");
    if (getenv("SLURM_JOB_ID") && (!nodes || atoi(nodes) != 1))
        return false;
    const char *home = getenv("HOME");
    char *own = mem_printf("%s/.openmpi/mca-params.conf", home ? home : "");
    const bool is_own = says(own, "hostfile");
    mem_free(own);
    return !is_own && !says("/etc/openmpi/openmpi-mca-params.conf", "hostfile") &&
           !says("/etc/openmpi/openmpi-default-hostfile", NULL);
}

/* The different first words of a file's lines. */
static int count_hosts(const char *path)
{
    char line[1024], *seen = mem_strdup("\n");
    int n = 0;
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        const char *at = line + strspn(line, " \t\r\n");
        if (!*at || *at == '#')
            continue;
        char *word = mem_printf("\n%.*s\n", (int)strcspn(at, " \t\r\n:"), at);
        if (!strstr(seen, word)) {
            char *longer = mem_printf("%s%s", seen, word + 1);
            mem_free(seen);
            seen = longer;
            n++;
        }
        mem_free(word);
    }
    if (file)
        fclose(file);
    mem_free(seen);
    return n;
}

int mpirun_hosts(void)
{
    static const char *const files[] = {"OMPI_MCA_orte_default_hostfile", "PBS_NODEFILE", "PE_HOSTFILE", "LSB_DJOB_HOSTFILE"};
    const char *nodes = getenv("SLURM_JOB_NUM_NODES") ? getenv("SLURM_JOB_NUM_NODES") : getenv("SLURM_NNODES");
    if (mpirun_is_local())
        return 1;
    if (getenv("SLURM_JOB_ID") && nodes)
        return atoi(nodes);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (getenv(files[i]))
            return count_hosts(getenv(files[i]));
    return 0;
}
