/* The width of the network's input is not in the run's configuration, since it follows from the dataset, which may be elsewhere
 * by now. But parameters and optimizer state grow by the same number of floats with every input, so two networks with 1 and 2
 * inputs and the size of the file tell it. */
#include "launcher/commands/gsmelu_print.h"

#include <stdio.h>

#include "common/base/memory.h"
#include "common/files/run_paths.h"
#include "common/kernels/gsmelu.h"
#include "worker/model.h"
#include "worker/model_activation.h"

static status_t floats_of(const config_t *config, int inputs, int64_t *floats)
{
    model_t *model;
    TRY(model_create(config, 0, inputs, 1, &model));
    *floats = model_parameters(model) + model_state_count(model);
    model_destroy(&model);
    return ST_OK;
}

static status_t width_of(const config_t *config, const char *path, int64_t floats, int *inputs)
{
    int64_t one, two;
    TRY(floats_of(config, 1, &one));
    TRY(floats_of(config, 2, &two));
    const int64_t more = floats - one;
    if (more < 0 || more % (two - one) || more / (two - one) >= INT32_MAX)
        return FAIL(ST_CORRUPT,
                    "%s: %lld floats do not fit the network of " FILE_CONFIG " beside it, which has %lld and %lld for each "
                    "input beyond the first; one of the two files is of another run",
                    path, (long long)floats, (long long)one, (long long)(two - one));
    *inputs = (int)(1 + more / (two - one));
    return ST_OK;
}

/* "alpha 0.98 (0.71 to 1.32)": the mean, and the range where units differ. */
static void print_number(const char *name, const float *number, int units)
{
    double sum = 0.0;
    float least = number[0], most = number[0];
    for (int j = 0; j < units; j++) {
        sum += number[j];
        least = number[j] < least ? number[j] : least;
        most = number[j] > most ? number[j] : most;
    }
    printf(" %s %.4g", name, sum / units);
    if (units > 1)
        printf(" (%.4g to %.4g)", (double)least, (double)most);
}

static void print_set(int component, const gsmelu_set_t *set, const float *parameters)
{
    static const char *const names[GSMELU_NUMBERS] = {
        [GSMELU_ALPHA] = "alpha", [GSMELU_BETA] = "beta", [GSMELU_LEFT] = "g-", [GSMELU_RIGHT] = "g+", [GSMELU_LEVEL] = "t",
    };
    printf("  gsmelu         component %d, ", component);
    if (set->layer < 0)
        printf("all layers:");
    else if (set->layer == 0)
        printf("input layer:");
    else
        printf("hidden layer %d:", set->layer);
    for (int k = 0; k < GSMELU_NUMBERS; k++)
        print_number(names[k], parameters + set->offset + (int64_t)k * set->units, set->units);
    printf("%s\n", set->units > 1 ? "  mean (range) over units" : "");
}

static status_t print_component(const run_reader_t *run, int component)
{
    char *path = run_dense_path(run->dir, component);
    float *dense = NULL;
    int64_t floats;
    int inputs = 0;
    status_t status;
    TRY_DONE(run_reader_dense(run, component, &dense, &floats));
    TRY_DONE(width_of(run->config, path, floats, &inputs));
    gsmelu_set_t sets[GSMELU_SETS_MAX];
    const int n = model_gsmelu_sets(run->config, inputs, sets);
    for (int i = 0; i < n; i++)
        print_set(component, &sets[i], dense);
done:
    mem_free(dense);
    mem_free(path);
    return status;
}

status_t gsmelu_print(run_reader_t *run)
{
    gsmelu_set_t sets[GSMELU_SETS_MAX];
    TRY(run_reader_config(run));
    const bool learned = model_gsmelu_sets(run->config, 1, sets) > 0;
    for (int k = 0; k < (int)run->config->model.components && learned; k++)
        TRY(print_component(run, k));
    return ST_OK;
}
