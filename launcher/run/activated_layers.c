#include "launcher/run/activated_layers.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/memory.h"

#define TEXT_BYTES 24

static int by_place(const void *a, const void *b)
{
    const activated_layer_t *x = a, *y = b;
    return x->component != y->component ? x->component - y->component : x->layer - y->layer;
}

void activated_layers_add(activated_layers_t *layers, int component, const message_activated_t *seen, const float *clipped,
                          int n)
{
    for (int l = 0; l < n; l++) {
        if (isnan(seen[l].spread))
            continue;
        MEM_GROW(layers->at, layers->cap, (size_t)layers->n + 1);
        layers->at[layers->n++] = (activated_layer_t){
            component, l, (double)seen[l].beta, (double)seen[l].spread, (double)seen[l].inside, (double)clipped[l]};
    }
    if (layers->n)
        qsort(layers->at, (size_t)layers->n, sizeof *layers->at, by_place);
}

void activated_layers_put(jsondoc_t *object, const activated_layers_t *layers)
{
    if (!layers->n)
        return;
    jsondoc_t *array = jsondoc_array();
    for (int i = 0; i < layers->n; i++) {
        const activated_layer_t *layer = &layers->at[i];
        jsondoc_t *one = jsondoc_object();
        jsondoc_put_integer(one, "component", layer->component);
        jsondoc_put_integer(one, "layer", layer->layer);
        jsondoc_put_number(one, "beta", layer->beta);
        jsondoc_put_number(one, "spread", layer->spread);
        jsondoc_put_number(one, "inside_share", layer->inside_share);
        jsondoc_put_number(one, "clipped_share", layer->clipped_share);
        jsondoc_append(array, &one);
    }
    jsondoc_put(object, "activated_layers", &array);
}

static status_t get_one(const jsondoc_t *one, const char *where, activated_layer_t *out)
{
    int64_t component, layer;
    TRY(jsondoc_get_integer(one, where, "component", 0, INT32_MAX, &component));
    TRY(jsondoc_get_integer(one, where, "layer", 0, INT32_MAX, &layer));
    out->component = (int)component;
    out->layer = (int)layer;
    out->beta = NAN;
    if (jsondoc_has(one, "beta")) /* the last to come */
        TRY(jsondoc_get_number(one, where, "beta", &out->beta));
    TRY(jsondoc_get_number(one, where, "spread", &out->spread));
    TRY(jsondoc_get_number(one, where, "inside_share", &out->inside_share));
    return jsondoc_get_number(one, where, "clipped_share", &out->clipped_share);
}

status_t activated_layers_get(const jsondoc_t *object, const char *where, activated_layers_t *out)
{
    const jsondoc_t *array;
    if (!jsondoc_has(object, "activated_layers"))
        return ST_OK;
    TRY(jsondoc_get_array(object, where, "activated_layers", &array));
    for (int64_t i = 0; i < jsondoc_length(array); i++) {
        MEM_GROW(out->at, out->cap, (size_t)out->n + 1);
        TRY(get_one(jsondoc_at(array, i), where, &out->at[out->n]));
        out->n++;
    }
    return ST_OK;
}

static const char *share_text(double share, char text[TEXT_BYTES])
{
    snprintf(text, TEXT_BYTES, "%.1f %%", 100.0 * share);
    return isnan(share) ? "-" : text;
}

static const char *beta_text(double beta, char text[TEXT_BYTES])
{
    snprintf(text, TEXT_BYTES, "%.4g", beta);
    return isnan(beta) ? "-" : text;
}

void activated_layers_print(const activated_layers_t *layers)
{
    if (!layers->n)
        return;
    printf("  activations    %9s %12s %10s %10s %10s %10s\n", "component", "layer", "beta", "spread", "inside", "clipped");
    for (int i = 0; i < layers->n; i++) {
        const activated_layer_t *layer = &layers->at[i];
        char name[24], beta[TEXT_BYTES], inside[TEXT_BYTES];
        snprintf(name, sizeof name, layer->layer ? "hidden %d" : "inputs", layer->layer);
        printf("                 %9d %12s %10s %10.4g %10s %8.2f %%\n", layer->component, name, beta_text(layer->beta, beta),
               layer->spread, share_text(layer->inside_share, inside), 100.0 * layer->clipped_share);
    }
}

void activated_layers_fini(activated_layers_t *layers)
{
    mem_free(layers->at);
    *layers = (activated_layers_t){0};
}
