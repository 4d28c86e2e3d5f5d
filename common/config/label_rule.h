/* label_rule.h - how the text of a label column becomes 0 or 1, as a schema writes it:
 *
 *     (nothing)                       0 or 1
 *     >= 4   > 3.5   < 1   <= 0   == 5   != 0      a number that compares so is 1, any other 0
 *     true/false   yes/no   -1/1      these two texts, whatever their case (t/f and y/n, too)
 *     a list of words                 any of them is 1, any other text 0
 *
 * Lists come as lines of one text (schema.c). Reading a label is launcher/ingest's. */
#ifndef SMELTER_LABEL_RULE_H
#define SMELTER_LABEL_RULE_H

#include <stdbool.h>

typedef enum label_rule_kind { LABEL_PLAIN, LABEL_COMPARE, LABEL_PAIR, LABEL_WORDS } label_rule_kind_t;
typedef enum label_compare {
    COMPARE_AT_LEAST,
    COMPARE_AT_MOST,
    COMPARE_EQUAL,
    COMPARE_OTHER,
    COMPARE_ABOVE,
    COMPARE_BELOW
} label_compare_t;
typedef enum label_pair { PAIR_TRUE_FALSE, PAIR_YES_NO, PAIR_MINUS_PLUS } label_pair_t;

typedef struct label_rule {
    label_rule_kind_t kind;
    label_compare_t compare; /* LABEL_COMPARE */
    double number;
    label_pair_t pair; /* LABEL_PAIR */
    const char *text;  /* as given, borrowed; of LABEL_WORDS the words, a line each */
} label_rule_t;

/* label_rule_parse - false where text (borrowed, may be NULL) is none. */
bool label_rule_parse(const char *text, label_rule_t *out);

#define LABEL_RULES_ALLOWED \
    "a comparison with a number such as \">= 4\", true/false, yes/no, -1/1, or a list of the words that are 1"

#endif
