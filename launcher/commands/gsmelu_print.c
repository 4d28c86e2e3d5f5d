/* The width of the network's input is not in the run's configuration, since it follows from the dataset, which may be elsewhere
 * by now. But a network grows with every input, so the size of the file tells it. Where there are parts beside the MLP, it is
 * not the width alone; such runs have their input fields in a file. */
#include "launcher/commands/gsmelu_print.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/memory.h"
#include "common/files/run_paths.h"
#include "common/kernels/gsmelu.h"
#include "worker/embedding.h"
#include "worker/network/model.h"

#define INPUTS_MOST (1 << 24) /* wider networks are not looked for */

static int64_t floats_of(const config_t *config, input_shape_t input)
{
    const model_size_t size = model_size(config, input);
    return size.parameters + size.state;
}

/* Of an MLP alone: the least width that has as many floats, or more. */
static input_shape_t find_width(const config_t *config, int64_t floats)
{
    int low = 1, high = 1;
    while (high < INPUTS_MOST && floats_of(config, input_of_numbers(high)) < floats)
        high *= 2;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (floats_of(config, input_of_numbers(middle)) < floats)
            low = middle + 1;
        else
            high = middle;
    }
    return input_of_numbers(low);
}

static status_t shape_of(run_reader_t *run, const char *path, int64_t floats, input_shape_t *input)
{
    if (run->config->model.parts == 1u << PART_MLP) {
        *input = find_width(run->config, floats);
    } else {
        TRY(run_reader_want(run, RUN_INPUTS));
        TRY(run_reader_inputs(run));
        TRY(run_reader_tables(run));
        *input = embedding_shape(&run->plan, run->inputs.numeric);
    }
    if (floats_of(run->config, *input) == floats)
        return ST_OK;
    return FAIL(ST_CORRUPT,
                "%s: %" PRId64 " floats do not fit the network of " FILE_CONFIG
                " beside it, whatever the number of its inputs; "
                "one of the two files is of another run",
                path, floats);
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

static status_t print_component(run_reader_t *run, int component)
{
    char *path = run_dense_path(run->dir, component);
    float *dense = NULL;
    int64_t floats;
    input_shape_t input = {0};
    status_t status;
    TRY_DONE(run_reader_dense(run, component, &dense, &floats));
    TRY_DONE(shape_of(run, path, floats, &input));
    gsmelu_set_t sets[GSMELU_SETS_MAX];
    const int n = model_gsmelu_sets(run->config, input, sets);
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
    const bool learned = model_gsmelu_sets(run->config, input_of_numbers(1), sets) > 0;
    for (int k = 0; k < (int)run->config->model.components && learned; k++)
        TRY(print_component(run, k));
    return ST_OK;
}
