/* input_fields.h - the input contract of a model: the fields that go into a run's network and what was made of their values, in
 * RUN/inputs.json and in every checkpoint.
 *
 * Tables and input columns of a network are numbered, and a table's rows are keys of values, so parameters mean something only
 * together with the fields' names, their order, what import made of their text (common/data/field_rules.h), and the numbers
 * that numeric ones are scaled by. Wherever a dataset meets a run, names, order and rules are checked, and the run's scaling is
 * applied. A run or a dataset of an older version may lack rules: what only one side records is not compared. */
#ifndef SMELTER_INPUT_FIELDS_H
#define SMELTER_INPUT_FIELDS_H

#include <stdio.h>

#include "common/base/status.h"
#include "common/config/field_options.h"
#include "common/data/dataset.h"
#include "common/files/jsondoc.h"

typedef struct input_fields {
    int32_t numeric, single, multi;
    dataset_field_t
        *fields; /* **owned**, [numeric + single + multi], in this order of kinds: name, kind, pooling, mean, scale, rules */
    field_options_t
        named; /* **owned**: what the run's configuration says of them; nothing where input_fields_name was not called */
} input_fields_t;

/* input_fields_of - the fields of a dataset, scaled by its own numbers; **owned**, input_fields_fini.
 * input_fields_copy - likewise. */
input_fields_t input_fields_of(const dataset_info_t *info);
input_fields_t input_fields_copy(const input_fields_t *inputs);
void input_fields_fini(input_fields_t *inputs);

/* input_fields_name - add what a configuration says of the fields, for those who read the file or what is printed: widths,
 * shared tables, crosses. Nothing is compared with it: config.yaml is what counts. Copies have none of it. */
void input_fields_name(input_fields_t *inputs, const config_t *config);

/* input_fields_scale_as - numeric fields take mean and scale of the numeric field of that name in `model`, if there is one.
 * input_fields_is_scaled_as - would nothing change? */
void input_fields_scale_as(input_fields_t *inputs, const input_fields_t *model);
bool input_fields_is_scaled_as(const input_fields_t *inputs, const input_fields_t *model);

/* input_fields_write - into the run folder, in one step. input_fields_read - ST_INPUT: there is no such file;  ST_CORRUPT: it
 * is not what input_fields_write wrote.  out **owned**. input_fields_exist - is there such a file? */
WARN_UNUSED status_t input_fields_write(const char *run_dir, const input_fields_t *inputs);
WARN_UNUSED status_t input_fields_read(const char *run_dir, input_fields_t *out);
bool input_fields_exist(const char *run_dir);

/* input_fields_json - the same as a document, **owned**.  inputs_decode - from one; `where` names it in errors. */
jsondoc_t *input_fields_json(const input_fields_t *inputs);
WARN_UNUSED status_t inputs_decode(const jsondoc_t *doc, const char *where, input_fields_t *out);

/* input_fields_difference - false where the data can be used as inputs of the model as they are, but for the scaling. Else the
 * first field that is missing, in another place, of another kind, or with another rule, as words:
 *     field 3 is video (categorical), wanted is item (categorical)
 *     transform of field price is none, wanted is log1p
 * input_fields_difference_by_name - the same for fields that both have, wherever they are. */
#define INPUT_FIELDS_DIFFERENCE_BYTES 400
bool input_fields_difference(const input_fields_t *model, const input_fields_t *data, char text[INPUT_FIELDS_DIFFERENCE_BYTES]);
bool input_fields_difference_by_name(const input_fields_t *model, const input_fields_t *data,
                                     char text[INPUT_FIELDS_DIFFERENCE_BYTES]);

/* input_fields_check - ST_INPUT where a dataset is none for the model of a run (input_fields_difference). */
WARN_UNUSED status_t input_fields_check(const input_fields_t *model, const char *run, const input_fields_t *data,
                                        const char *dataset);

/* input_fields_warn_unrecorded - one line where the run or the dataset does not say what import made of a field that both have,
 * so that nothing could be checked. For datasets that are not known to be the run's own by their content. */
void input_fields_warn_unrecorded(const input_fields_t *model, const char *run, const input_fields_t *data,
                                  const char *dataset);

/* input_fields_print - the fields with their scaling, and what was made of their values. To standard output. */
void input_fields_print(const input_fields_t *inputs);

#endif
