#include "launcher/ranks/provenance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/process/instructions.h"
#include "common/products/gemm.h"

static const char *commit_field;

void provenance_set_commit(const char *commit)
{
    commit_field = commit;
}

const char *provenance_commit(void)
{
    return commit_field && *commit_field ? commit_field : "unknown";
}

void provenance_blank_commit(char *program, size_t bytes)
{
    for (char *at = program; commit_field && at;) {
        at = memmem(at, bytes - (size_t)(at - program), commit_field, PROVENANCE_COMMIT_BYTES);
        if (at)
            memset(at, 0, PROVENANCE_COMMIT_BYTES);
    }
}

/* The first "model name" of /proc/cpuinfo; processors without one, of other architectures, have no name that all kernels agree
 * on. */
const char *provenance_cpu(void)
{
    static char cpu[128];
    if (*cpu)
        return cpu;
    char *line = NULL;
    size_t capacity = 0;
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file && !*cpu && getline(&line, &capacity, file) > 0) {
        const char *colon = strchr(line, ':');
        if (colon && strncmp(line, "model name", strlen("model name")) == 0)
            snprintf(cpu, sizeof cpu, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
    }
    if (file)
        fclose(file);
    free(line);
    if (!*cpu)
        snprintf(cpu, sizeof cpu, "unknown");
    return cpu;
}

const char *provenance_host(void)
{
    static char host[256];
    if (!*host && gethostname(host, sizeof host - 1) != 0)
        snprintf(host, sizeof host, "unknown");
    return host;
}

void provenance_put(jsondoc_t *manifest, const provenance_t *provenance)
{
    jsondoc_t *object = jsondoc_object();
#define PUT(name) jsondoc_put_text(object, #name, provenance->name ? provenance->name : "");
    PROVENANCE_TEXTS(PUT)
#undef PUT
    jsondoc_put(manifest, "provenance", &object);
}

/* Texts that manifests of the same format may lack. */
static bool is_younger(const char *name)
{
    return strcmp(name, "march") == 0;
}

status_t provenance_get(const jsondoc_t *manifest, const char *where, provenance_t *out)
{
    const jsondoc_t *object;
    if (!jsondoc_has(manifest, "provenance"))
        return ST_OK;
    TRY(jsondoc_get_object(manifest, where, "provenance", &object));
#define GET(name) \
    { \
        const char *text = ""; \
        if (!is_younger(#name) || jsondoc_has(object, #name)) \
            TRY(jsondoc_get_text(object, where, #name, &text)); \
        mem_free(out->name); \
        out->name = mem_strdup(text); \
    }
    PROVENANCE_TEXTS(GET)
#undef GET
    return ST_OK;
}

void provenance_fini(provenance_t *provenance)
{
#define FREE(name) mem_free(provenance->name);
    PROVENANCE_TEXTS(FREE)
#undef FREE
    *provenance = (provenance_t){0};
}

void provenance_put_here(jsondoc_t *results, const char *kernels)
{
    jsondoc_t *object = jsondoc_object();
    char date[CLOCK_UTC_BYTES];
    jsondoc_put_text(object, "written", clock_utc(date));
    jsondoc_put_text(object, "host", provenance_host());
    jsondoc_put_text(object, "cpu", provenance_cpu());
    if (kernels)
        jsondoc_put_text(object, "kernels", kernels);
    jsondoc_put_text(object, "version", SMELTER_VERSION);
    jsondoc_put_text(object, "commit", provenance_commit());
    jsondoc_put_text(object, "march", instructions_march());
    jsondoc_put(results, "provenance", &object);
}
