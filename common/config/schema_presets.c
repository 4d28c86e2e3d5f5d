#include "common/config/schema_presets.h"

#include <stddef.h>
#include <string.h>

const schema_preset_t schema_presets[] = {
    {.name = "criteo",
     .doc = "Criteo display advertising (train.txt of Kaggle 2014, or a day of the terabyte log): tab-separated, no header,\n"
            "a label, 13 counts, 26 categories; the last tenth of the rows evaluates",
     .text = "format: tsv\n"
             "header: false\n"
             "label: c1\n"
             "split: {train_fraction: 0.9}\n"
             "columns:\n"
             "  - kind: numeric\n"
             "    transform: log1p\n"
             "    names: [I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12, I13]\n"
             "    columns: [c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14]\n"
             "  - kind: categorical\n"
             "    names:\n"
             "      [C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13, C14, C15, C16, C17, C18, C19, C20, C21,\n"
             "       C22, C23, C24, C25, C26]\n"
             "    columns:\n"
             "      [c15, c16, c17, c18, c19, c20, c21, c22, c23, c24, c25, c26, c27, c28, c29, c30, c31, c32, c33, c34,\n"
             "       c35, c36, c37, c38, c39, c40]\n"},
    {.name = "avazu",
     .doc = "Avazu click-through rate prediction (train of Kaggle 2014): CSV with a header; the last of the ten days,\n"
            "30 October 2014, evaluates",
     .text = "format: csv\n"
             "label: click\n"
             "time: hour\n"
             "split: {column: hour, train_max: 14102923}\n"
             "columns:\n"
             "  - kind: categorical\n"
             "    names:\n"
             "      [C1, banner_pos, site_id, site_domain, site_category, app_id, app_domain, app_category, device_id,\n"
             "       device_ip, device_model, device_type, device_conn_type, C14, C15, C16, C17, C18, C19, C20, C21]\n"},
    {.name = "libsvm",
     .doc = "libsvm and libfm: LABEL ID:VALUE ID:VALUE ...; the last tenth of the rows evaluates",
     .text = "format: libsvm\n"
             "split: {train_fraction: 0.9}\n"},
    {.name = "libffm",
     .doc = "libffm: LABEL FIELD:ID:VALUE FIELD:ID:VALUE ...; the last tenth of the rows evaluates",
     .text = "format: libffm\n"
             "split: {train_fraction: 0.9}\n"},
    {.name = NULL},
};

const schema_preset_t *schema_preset(const char *name)
{
    for (const schema_preset_t *preset = schema_presets; preset->name; preset++)
        if (strcmp(preset->name, name) == 0)
            return preset;
    return NULL;
}
