#include "launcher/ranks/processors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"

void processors_fini(processors_t *processors)
{
    mem_free(processors->kind);
    *processors = (processors_t){0};
}

/* ---- lists ------------------------------------------------------------------------------------------------------------ */

static void append(processors_t *to, const processors_kind_t *kind)
{
    processors_kind_t *longer = MEM_ARRAY(processors_kind_t, to->n + 1);
    if (to->n)
        memcpy(longer, to->kind, (size_t)to->n * sizeof *longer);
    longer[to->n++] = *kind;
    mem_free(to->kind);
    to->kind = longer;
}

static void add_host(processors_kind_t *kind, const char *host)
{
    const size_t used = strlen(kind->hosts), length = strlen(host);
    for (const char *at = kind->hosts; (at = strstr(at, host)); at++)
        if ((at == kind->hosts || at[-1] == ' ') && (at[length] == 0 || at[length] == ','))
            return;
    if (used + length + 8 < sizeof kind->hosts)
        snprintf(kind->hosts + used, sizeof kind->hosts - used, "%s%s", used ? ", " : "", host);
    else if (used < 4 || strcmp(kind->hosts + used - 3, "...") != 0)
        snprintf(kind->hosts + used, sizeof kind->hosts - used, ", ...");
}

processors_t processors_of(const roster_t *roster, int64_t incarnation)
{
    processors_t all = {0};
    for (int r = 0; r < roster->size; r++) {
        const roster_entry_t *entry = &roster->entries[r];
        int64_t k = 0;
        while (k < all.n && !processor_is_same(&all.kind[k].processor, &entry->processor))
            k++;
        if (k == all.n)
            append(&all, &(processors_kind_t){
                             .processor = entry->processor, .incarnation = incarnation, .first = roster_number(roster, r)});
        all.kind[k].ranks++;
        add_host(&all.kind[k], entry->host);
    }
    return all;
}

processors_t processors_copy(const processors_t *from)
{
    processors_t copy = {0};
    for (int64_t k = 0; k < from->n; k++)
        append(&copy, &from->kind[k]);
    return copy;
}

static bool is_repeated(const processors_t *in, const processors_kind_t *kind)
{
    for (int64_t k = 0; k < in->n; k++)
        if (processor_is_same(&in->kind[k].processor, &kind->processor) && in->kind[k].ranks == kind->ranks &&
            in->kind[k].first == kind->first && strcmp(in->kind[k].hosts, kind->hosts) == 0)
            return true;
    return false;
}

void processors_add(processors_t *to, const processors_t *later)
{
    for (int64_t k = 0; k < later->n; k++)
        if (!is_repeated(to, &later->kind[k]))
            append(to, &later->kind[k]);
}

static bool has(const processors_t *in, const processor_t *processor)
{
    for (int64_t k = 0; k < in->n; k++)
        if (processor_is_same(&in->kind[k].processor, processor))
            return true;
    return false;
}

/* The first kind of a that b does not have; NULL: none. */
static const processors_kind_t *missing(const processors_t *a, const processors_t *b)
{
    for (int64_t k = 0; k < a->n; k++)
        if (!has(b, &a->kind[k].processor))
            return &a->kind[k];
    return NULL;
}

bool processors_are_same(const processors_t *a, const processors_t *b)
{
    return !a->n || !b->n || (!missing(a, b) && !missing(b, a));
}

/* ---- checks ----------------------------------------------------------------------------------------------------------- */

/* Its bits depend on the kind, and it promises them and does not allow several kinds. */
static bool is_strict(const config_t *config)
{
    return config->determinism >= DETERMINISM_SYNC && config->determinism < DETERMINISM_PORTABLE &&
           !config->cluster.mixed_processors;
}

/* What kinds mean to the configurations of an experiment: the first that is strict, or NULL; all_portable: to none anything. */
static const config_t *strict_one(const experiment_t *experiment, bool *all_portable)
{
    const config_t *strict = NULL;
    *all_portable = true;
    for (int v = experiment->variants ? 0 : -1; v < experiment->variants; v++) {
        const config_t *config = v < 0 ? experiment->base : experiment->configs[v];
        const bool leaves_level = config->experiment.vary & 1u << VARY_LEVEL; /* its replicas run at async */
        *all_portable &= config->determinism == DETERMINISM_PORTABLE && !leaves_level;
        if (!strict && is_strict(config) && !leaves_level)
            strict = config;
    }
    return strict;
}

/* "rank 3 on node2 (OpenBLAS ...)" */
static const char *kind_text(const processors_kind_t *kind, char *text, size_t size)
{
    char name[PROCESSOR_TEXT_BYTES], others[48] = "";
    if (kind->ranks > 1)
        snprintf(others, sizeof others, " and %d more", kind->ranks - 1);
    snprintf(text, size, "rank %d%s on %s (%s)", kind->first, others, kind->hosts, processor_text(&kind->processor, name));
    return text;
}

status_t processors_check_job(const roster_t *roster, const experiment_t *experiment)
{
    processors_t all = processors_of(roster, 0);
    char first[480], other[480];
    status_t status = ST_OK;
    bool all_portable;
    const config_t *strict = strict_one(experiment, &all_portable);
    for (int64_t k = 1; k < all.n && status == ST_OK && !all_portable; k++) {
        kind_text(&all.kind[0], first, sizeof first);
        kind_text(&all.kind[k], other, sizeof other);
        if (strict)
            status =
                FAIL(ST_INPUT,
                     "%s and %s compute with different bits, so that determinism %s cannot be kept; use hosts of one "
                     "kind, or the same "
                     "OPENBLAS_CORETYPE for all ranks where the kernels are all that differs, or determinism: portable, or "
                     "allow it with cluster.mixed_processors: true",
                     first, other, config_determinism_word((determinism_t)strict->determinism));
        else
            log_warn("%s and %s compute with different bits; the run's manifest says so", first, other);
    }
    processors_fini(&all);
    return status;
}

status_t processors_check_earlier(const char *folder, const char *what, const processors_t *earlier, const processors_t *now,
                                  const config_t *config)
{
    char before[480], after[480];
    if (config->determinism == DETERMINISM_PORTABLE || processors_are_same(earlier, now))
        return ST_OK;
    const processors_kind_t *theirs = missing(earlier, now), *ours = missing(now, earlier);
    kind_text(theirs ? theirs : &earlier->kind[0], before, sizeof before);
    kind_text(ours ? ours : &now->kind[0], after, sizeof after);
    if (is_strict(config))
        return FAIL(ST_INPUT,
                    "%s: %s computed by %s; here %s would compute with different bits, which determinism %s promises to be the "
                    "same; go on "
                    "where it began, or allow it with cluster.mixed_processors: true",
                    folder, what, before, after, config_determinism_word((determinism_t)config->determinism));
    log_warn("%s: %s computed by %s; here it is %s, and bits differ from here on", folder, what, before, after);
    return ST_OK;
}

void processors_warn_scores(const char *folder, const processors_t *earlier, const processors_t *now, const config_t *config)
{
    char before[480], after[480];
    if (config->determinism == DETERMINISM_PORTABLE || processors_are_same(earlier, now))
        return;
    const processors_kind_t *theirs = missing(earlier, now), *ours = missing(now, earlier);
    log_warn("%s was computed by %s; here it is %s, and the last bits of a score may be others than there", folder,
             kind_text(theirs ? theirs : &earlier->kind[0], before, sizeof before),
             kind_text(ours ? ours : &now->kind[0], after, sizeof after));
}

void processors_print(FILE *out, const processors_t *processors)
{
    char text[PROCESSOR_TEXT_BYTES];
    for (int64_t k = 0; k < processors->n; k++) {
        const processors_kind_t *kind = &processors->kind[k];
        fprintf(out, "  computed by    %s; %d rank%s from %d on, on %s, in start %" PRId64 "\n",
                processor_text(&kind->processor, text), kind->ranks, kind->ranks == 1 ? "" : "s", kind->first, kind->hosts,
                kind->incarnation);
    }
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

void processors_put(jsondoc_t *manifest, const processors_t *processors)
{
    jsondoc_t *list = jsondoc_array();
    for (int64_t k = 0; k < processors->n; k++) {
        const processors_kind_t *kind = &processors->kind[k];
        jsondoc_t *one = jsondoc_object();
        jsondoc_put_text(one, "name", kind->processor.name);
        jsondoc_put_hash(one, "probe", kind->processor.probe);
        jsondoc_put_integer(one, "epoch", kind->incarnation);
        jsondoc_put_integer(one, "ranks", kind->ranks);
        jsondoc_put_integer(one, "first_rank", kind->first);
        jsondoc_put_text(one, "hosts", kind->hosts);
        jsondoc_append(list, &one);
    }
    if (processors->n)
        jsondoc_put(manifest, "processors", &list);
    jsondoc_destroy(&list);
}

static status_t get_kind(const jsondoc_t *doc, const char *where, processors_kind_t *out)
{
    const char *name, *hosts;
    int64_t ranks, first;
    *out = (processors_kind_t){0};
    TRY(jsondoc_get_text(doc, where, "name", &name));
    TRY(jsondoc_get_hash(doc, where, "probe", &out->processor.probe));
    TRY(jsondoc_get_integer(doc, where, "epoch", 0, UINT32_MAX, &out->incarnation));
    TRY(jsondoc_get_integer(doc, where, "ranks", 1, INT32_MAX, &ranks));
    TRY(jsondoc_get_integer(doc, where, "first_rank", 0, INT32_MAX, &first));
    TRY(jsondoc_get_text(doc, where, "hosts", &hosts));
    snprintf(out->processor.name, sizeof out->processor.name, "%s", name);
    snprintf(out->hosts, sizeof out->hosts, "%s", hosts);
    out->ranks = (int32_t)ranks;
    out->first = (int32_t)first;
    return ST_OK;
}

status_t processors_get(const jsondoc_t *manifest, const char *where, processors_t *out)
{
    const jsondoc_t *list;
    processors_kind_t kind;
    *out = (processors_t){0};
    if (!jsondoc_has(manifest, "processors"))
        return ST_OK;
    TRY(jsondoc_get_array(manifest, where, "processors", &list));
    for (int64_t k = 0; k < jsondoc_length(list); k++) {
        TRY(get_kind(jsondoc_at(list, k), where, &kind));
        append(out, &kind);
    }
    return ST_OK;
}
