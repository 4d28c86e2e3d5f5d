/* In this order: the label, because what tells it alone is no input; time, which says how to split; the query; then each other
 * column for itself. Rules are few and look at names before numbers, because a name says what a person meant. */
#include "launcher/init/guess.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/data/dataset.h"
#include "common/math/real.h"
#include "launcher/init/name_words.h"

#define GAIN_LEAK 0.5      /* a column that explains more of the label by itself was probably made after it */
#define GAIN_ASK 0.25      /* may have been */
#define PURE_LEAK 0.995    /* so has a frequent value that nearly only comes with the rarer label, */
#define PURE_BASE 0.9      /* unless nearly all rows have that label */
#define NEARLY 0.98        /* of rows: nearly each has another value */
#define FEW 20             /* whole numbers of so few kinds are taken for codes */
#define LARGE 100.0        /* numbers from 0 to more than this are taken the logarithm of */
#define FREE_TEXT_BYTES 80 /* longer texts, nearly all of them different, are sentences */
#define TRAIN_SHARE 0.8
#define LABEL_HOLDS "0 and 1, true and false, yes and no, -1 and 1 in nine rows of ten, nor is a rating"

typedef struct making {
    const sample_t *sample;
    const char *path;
    facts_t *facts;      /* [columns] */
    name_words_t *words; /* [columns] */
    uint8_t *label;      /* [rows] 0, 1, or 2: none */
    guess_t *out;
} making_t;

static const char *name_of(const making_t *m, int column)
{
    return m->sample->column[column].name;
}

/* Why no schema can call a column by its name; NULL: it can. */
static const char *name_fault(const sample_t *sample, int c)
{
    const char *name = sample->column[c].name;
    if (!*name)
        return "has no name";
    if (!name_is_utf8(name))
        return "has a name that is not UTF-8";
    for (int other = 0; other < sample->columns; other++)
        if (other != c && strcmp(sample->column[other].name, name) == 0)
            return "has the name of another column";
    return NULL;
}

/* ---- the label ---------------------------------------------------------------------------------------------------------- */

/* How likely the name is that of a label; 0: it says nothing. */
static int label_score(const name_words_t *name)
{
    static const struct {
        const char *is;
        int score;
    } whole[] = {{"label", 100},    {"is click", 95}, {"click", 95},      {"clicked", 95},      {"is clicked", 95},
                 {"target", 90},    {"y", 80},        {"conversion", 70}, {"converted", 70},    {"is buy", 70},
                 {"buy", 70},       {"purchase", 70}, {"purchased", 70},  {"is installed", 70}, {"install", 70},
                 {"installed", 70}, {"response", 60}, {"outcome", 60},    {"class", 50},        {"is like", 50},
                 {"like", 50},      {"liked", 50}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (name_words_is(name, whole[i].is))
            return whole[i].score;
    return name_words_has(name, "label click clicked target") ? 40 : name_words_has(name, "conversion purchase") ? 30 : 0;
}

/* How a column would be one: what of it is 1. */
typedef enum label_way { LABEL_NOT, LABEL_AS_IT_IS, LABEL_OF_TWO, LABEL_OF_SIGNS, LABEL_OF_RATING } label_way_t;

static bool is_yes(const char *text)
{
    static const char *const words[] = {"true", "t", "yes", "y"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

static bool is_no(const char *text)
{
    static const char *const words[] = {"false", "f", "no", "n"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

static label_way_t label_way(const making_t *m, int column)
{
    const facts_t *facts = &m->facts[column];
    char *const *text = m->sample->column[column].text;
    if (facts->filled * 10 < m->sample->rows * 9 || name_fault(m->sample, column))
        return LABEL_NOT;
    if (facts->is_binary)
        return LABEL_AS_IT_IS;
    if (facts->distinct == 2 && facts->numbers == facts->filled && facts->least == -1.0 && facts->most == 1.0)
        return LABEL_OF_SIGNS;
    if (facts->distinct == 2 && text[0] && text[1] &&
        ((is_yes(text[0]) && is_no(text[1])) || (is_no(text[0]) && is_yes(text[1]))))
        return LABEL_OF_TWO;
    if (name_words_has(&m->words[column], "rating ratings stars star score grade") && facts->numbers == facts->filled &&
        facts->distinct >= 3 && facts->distinct <= FEW + 1)
        return LABEL_OF_RATING;
    return LABEL_NOT;
}

static bool can_be_label(const making_t *m, int column)
{
    return label_way(m, column) != LABEL_NOT;
}

/* The other candidates, for the question. */
static char *others_text(const making_t *m, int label)
{
    char *text = mem_strdup("");
    int n = 0;
    for (int c = 0; c < m->sample->columns && n < 6; c++)
        if (c != label && label_way(m, c) != LABEL_NOT && label_way(m, c) != LABEL_OF_RATING) {
            char *longer = mem_printf("%s%s%s", text, n++ ? ", " : "", name_of(m, c));
            mem_free(text);
            text = longer;
        }
    return text;
}

static status_t fail_label(const making_t *m, const char *label)
{
    if (label)
        return FAIL(ST_INPUT, "%s: column %s cannot be the label: it holds no " LABEL_HOLDS, m->path, label);
    return FAIL(ST_INPUT,
                "%s: no column can be the label: none of the %d column%s holds " LABEL_HOLDS
                "; add a column that says of each row whether it is a positive",
                m->path, m->sample->columns, m->sample->columns == 1 ? "" : "s");
}

static status_t named_label(const making_t *m, const char *name, int *out)
{
    for (int c = 0; c < m->sample->columns; c++)
        if (strcmp(name_of(m, c), name) == 0) {
            *out = c;
            return can_be_label(m, c) ? ST_OK : fail_label(m, name);
        }
    return FAIL(ST_INPUT, "%s: there is no column %s; the first is called %s", m->path, name, name_of(m, 0));
}

/* By its name; where no name says so, the last column or the first, where most files have it. */
static int likely_label(const making_t *m, int *score, int *candidates)
{
    int best = -1;
    *score = -1;
    *candidates = 0;
    for (int c = 0; c < m->sample->columns; c++) {
        if (!can_be_label(m, c))
            continue;
        const int name = label_way(m, c) == LABEL_OF_RATING ? 25 : label_score(&m->words[c]); /* above what has no name */
        const int place = c + 1 == m->sample->columns ? 2 : c == 0 ? 1 : 0;
        ++*candidates;
        if (10 * name + place > *score) {
            *score = 10 * name + place;
            best = c;
        }
    }
    return best;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The number from which on a rating is 1: the one that cuts the rows most evenly. */
static double rating_bound(const sample_t *sample, int column)
{
    double *number = MEM_ARRAY(double, sample->rows), best = NAN, apart = INFINITY;
    int64_t n = 0;
    for (int64_t row = 0; row < sample->rows; row++)
        if (!isnan(sample->column[column].number[row]))
            number[n++] = sample->column[column].number[row];
    qsort(number, (size_t)n, sizeof *number, compare_doubles);
    for (int64_t i = 1; i < n; i++)
        if (number[i] > number[i - 1] && fabs((double)i / (double)n - 0.5) < apart) {
            apart = fabs((double)i / (double)n - 0.5);
            best = number[i];
        }
    mem_free(number);
    return best;
}

/* Each row's label, and the rule that makes it. */
static void read_labels(making_t *m)
{
    const sample_t *sample = m->sample;
    guess_t *g = m->out;
    const sample_column_t *column = &sample->column[g->label];
    const label_way_t way = label_way(m, g->label);
    const double bound = way == LABEL_OF_RATING ? rating_bound(sample, g->label) : 1.0;
    const char *yes = way != LABEL_OF_TWO ? "" : column->text[is_yes(column->text[1])];
    const uint64_t key = dataset_key(yes, (int)strlen(yes));
    int64_t rows = 0, ones = 0;
    for (int64_t row = 0; row < sample->rows; row++) {
        const bool has = column->form[row] != CELL_EMPTY && column->form[row] != CELL_WORD;
        m->label[row] = !has ? 2 : way == LABEL_OF_TWO ? column->hash[row] == key : column->number[row] >= bound;
        rows += has;
        ones += m->label[row] == 1;
    }
    g->positive = (double)ones / (double)rows;
    if (way == LABEL_OF_RATING)
        g->label_rule = mem_printf("\">= %.6g\"", bound);
    else if (way == LABEL_OF_SIGNS)
        g->label_rule = mem_strdup("-1/1");
    else if (way == LABEL_OF_TWO)
        g->label_rule = mem_strdup(strcspn(yes, "yY") < strlen(yes) ? "yes/no" : "true/false");
    if (way == LABEL_OF_RATING)
        g->label_question =
            mem_printf("From which %s on is a row a positive? This bound makes about half of them one.", name_of(m, g->label));
    g->label_why = mem_printf("%s%.1f %% are 1", way == LABEL_AS_IT_IS ? "0 and 1; " : "", 100.0 * g->positive);
}

static status_t guess_label(making_t *m, const char *named)
{
    guess_t *g = m->out;
    int score = 1000, candidates = 1;
    if (named)
        TRY(named_label(m, named, &g->label));
    else
        g->label = likely_label(m, &score, &candidates);
    if (g->label < 0)
        return fail_label(m, NULL);
    read_labels(m);
    if (!g->label_question && (score < 10 || (candidates > 1 && score < 500))) {
        char *others = others_text(m, g->label);
        g->label_question = mem_printf("Is %s what is to be predicted?%s%s%s", name_of(m, g->label),
                                       *others ? " These could be, too: " : " No other column could be", others, ".");
        mem_free(others);
    }
    return ST_OK;
}

/* ---- time --------------------------------------------------------------------------------------------------------------- */

typedef struct clock_unit {
    const char *name;
    double per_second;
} clock_unit_t;

/* The unit in which numbers are times since 1970, of the years 1990 to 2100; NULL: they are none. */
static const clock_unit_t *unit_of(const facts_t *facts)
{
    static const clock_unit_t units[] = {{"seconds", 1}, {"milliseconds", 1e3}, {"microseconds", 1e6}, {"nanoseconds", 1e9}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (facts->least >= 631152000.0 * units[i].per_second && facts->most <= 4102444800.0 * units[i].per_second)
            return &units[i];
    return NULL;
}

/* Numbers such as 20220425. */
static bool is_calendar_day(const facts_t *facts)
{
    return facts->form[CELL_WHOLE] == facts->filled && facts->least >= 19900101.0 && facts->most <= 21001231.0 &&
           fmod(facts->least, 100.0) >= 1.0 && fmod(facts->least, 100.0) <= 31.0;
}

static bool is_date(const facts_t *facts)
{
    return facts->filled > 0 && facts->form[CELL_DATE] == facts->filled;
}

/* 0: no time. Rows that ascend by it say most; then the name; then how finely it tells rows apart. */
static double time_score(const making_t *m, int column)
{
    const facts_t *facts = &m->facts[column];
    const bool is_number = facts->numbers == facts->filled && unit_of(facts);
    if (column == m->out->label || facts->distinct < 2 || (!is_date(facts) && !is_number) ||
        facts->filled * 100 < m->sample->rows * 99 || name_fault(m->sample, column))
        return 0.0;
    double score = 1.0 + real_log2((double)facts->distinct) / 64.0;
    score += facts->descents == 0 ? 4.0 : 0.0;
    score += name_words_has(&m->words[column], "time timestamp ts date datetime at when") ? 2.0 : 0.0;
    return score;
}

/* The number that TRAIN_SHARE of the rows do not exceed. */
static double quantile_of(const sample_t *sample, int column)
{
    double *number = MEM_ARRAY(double, sample->rows);
    int64_t n = 0;
    for (int64_t row = 0; row < sample->rows; row++)
        if (!isnan(sample->column[column].number[row]))
            number[n++] = sample->column[column].number[row];
    qsort(number, (size_t)n, sizeof *number, compare_doubles);
    const double bound = number[(int64_t)((double)n * TRAIN_SHARE)];
    mem_free(number);
    return bound;
}

static void guess_time(making_t *m)
{
    guess_t *g = m->out;
    double best = 0.0;
    for (int c = 0; c < m->sample->columns; c++)
        if (time_score(m, c) > best) {
            best = time_score(m, c);
            g->time = c;
        }
    if (g->time < 0) {
        g->split_why = mem_strdup("no column is a time, so the last rows evaluate");
        g->split_question =
            mem_strdup("Are later rows of the file newer? Where they are sorted by something else, shuffle the file.");
        return;
    }
    const facts_t *facts = &m->facts[g->time];
    const clock_unit_t *unit = is_date(facts) ? NULL : unit_of(facts);
    g->time_why = mem_printf("%s%s", unit ? unit->name : "dates", unit ? " since 1970" : "");
    if (best < 2.0)
        g->time_question = mem_printf("Is %s when the row happened?", name_of(m, g->time));
    if (facts->descents == 0) {
        g->split_why = mem_printf("rows ascend by %s, so the last rows are the newest", name_of(m, g->time));
    } else if (unit) {
        g->train_max = quantile_of(m->sample, g->time);
        g->split_why = mem_printf("rows do not ascend by %s; those after this time evaluate", name_of(m, g->time));
    } else {
        g->is_sorted = true;
        g->split_why = mem_printf("rows do not ascend by %s, and import sorts them, so that the last ones are the newest",
                                  name_of(m, g->time));
    }
}

/* ---- the query ---------------------------------------------------------------------------------------------------------- */

static int group_score(const making_t *m, int column)
{
    const facts_t *facts = &m->facts[column];
    const name_words_t *name = &m->words[column];
    int score = name_words_has(name, "qid query srch search session request impression auction") ? 4 : 0;
    score += name_words_has(name, "user uid userid member customer visitor client cookie household") ? 3 : 0;
    if (score == 0 || column == m->out->label || column == m->out->time || facts->distinct < 10 ||
        (double)facts->filled < 1.5 * (double)facts->distinct || facts->form[CELL_NUMBER] > 0 || name_fault(m->sample, column))
        return 0;
    score += name_words_has(name, "id qid uid userid hash") ? 2 : 0;
    score -=
        name_words_has(name, "num number count cnt range degree type age gender name country city level len length is") ? 4 : 0;
    return score;
}

static void guess_group(making_t *m)
{
    guess_t *g = m->out;
    int best = 0;
    char count[TEXT_BYTES];
    for (int c = 0; c < m->sample->columns; c++)
        if (group_score(m, c) > best) {
            best = group_score(m, c);
            g->group = c;
        }
    if (g->group < 0) {
        g->group_question =
            mem_strdup("Is there a column that says which rows one user saw? Without one there are no swap rates.");
        return;
    }
    const facts_t *facts = &m->facts[g->group];
    g->group_why = mem_printf("%s of them, with %.1f rows each", text_count(facts->distinct, count),
                              (double)facts->filled / (double)facts->distinct);
    if (best < 4)
        g->group_question = mem_printf("Does %s say which rows one user saw, and could choose among?", name_of(m, g->group));
}

/* ---- inputs ------------------------------------------------------------------------------------------------------------- */

static void PRINTF_LIKE(2, 3) leave_out(column_guess_t *column, const char *format, ...)
{
    va_list args;
    char text[512];
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    column->input = INPUT_NOT;
    column->why = mem_strdup(text);
}

/* What would be known only after the label is; true where the column is left out for it. */
static bool is_suspect(making_t *m, int c)
{
    column_guess_t *column = &m->out->column[c];
    const double base = m->out->positive < 0.5 ? m->out->positive : 1.0 - m->out->positive;
    telling_t telling;
    facts_telling(m->sample, c, m->label, &telling);
    if (telling.gain > GAIN_LEAK)
        leave_out(column, "tells %.0f %% of %s by itself, as what is known only afterwards does", 100.0 * telling.gain,
                  name_of(m, m->out->label));
    else if (telling.purest > PURE_LEAK && base < PURE_BASE)
        leave_out(column, "has a frequent value that nearly only comes with one %s, as what is known only afterwards does",
                  name_of(m, m->out->label));
    else if (telling.gain > GAIN_ASK)
        column->question = mem_printf("%s tells %.0f %% of %s by itself: is it known before?", name_of(m, c),
                                      100.0 * telling.gain, name_of(m, m->out->label));
    return column->why != NULL;
}

/* Which of the separators cuts texts into parts that come again: fewer different ones than there are texts. -1: none. */
static int find_separator(const sample_column_t *column, const facts_t *facts)
{
    const int64_t texts = facts->form[CELL_TEXT];
    if (column->is_list)
        return 0;
    for (int s = 0; s < SAMPLE_SEPARATORS_COUNT; s++) {
        const sample_cut_t *cut = &column->cut[s];
        if (texts > 0 && cut->cells * 20 >= facts->filled && cut->distinct * 2 <= facts->distinct &&
            cut->parts * 10 >= texts * 11)
            return s;
    }
    return -1;
}

static bool is_code(const making_t *m, int c)
{
    const facts_t *facts = &m->facts[c];
    return name_words_has(&m->words[c],
                          "id ids uid qid code codes type category cat zip zipcode postcode tab level class hour weekday dow "
                          "day month year slot position pos channel campaign feat feature onehot flag is has group "
                          "hash brand model version banner") ||
           (facts->form[CELL_WHOLE] == facts->numbers && facts->distinct <= FEW);
}

static void guess_number(making_t *m, int c)
{
    const facts_t *facts = &m->facts[c];
    column_guess_t *column = &m->out->column[c];
    column->input = INPUT_NUMERIC;
    const double size = fmax(fabs(facts->least), fabs(facts->most));
    column->transform = facts->least >= 0.0 && facts->most > LARGE ? TRANSFORM_LOG1P
                        : size > 4.0                               ? TRANSFORM_STANDARDISE
                                                                   : TRANSFORM_NONE;
    column->why = mem_printf("%.6g to %.6g, mean %.4g", facts->least, facts->most, facts->mean);
    if (!column->question && facts->form[CELL_WHOLE] == facts->filled && facts->distinct > 1000 && facts->least > 0.0 &&
        facts->mean > facts->most / 8.0)
        column->question = mem_printf("Is %s a quantity, or the number of a thing (then: kind: categorical)?", name_of(m, c));
}

static void guess_category(making_t *m, int c)
{
    const facts_t *facts = &m->facts[c];
    column_guess_t *column = &m->out->column[c];
    char count[TEXT_BYTES];
    column->input = INPUT_CATEGORICAL;
    column->why = mem_printf("%s values", text_count(facts->distinct, count));
}

/* What no rows to come have in common with these. */
static bool is_useless(making_t *m, int c)
{
    const facts_t *facts = &m->facts[c];
    column_guess_t *column = &m->out->column[c];
    const int64_t filled = facts->filled;
    if (filled == 0)
        leave_out(column, "is empty");
    else if (facts->distinct == 1 && filled == m->sample->rows)
        leave_out(column, "has the same value in all rows");
    else if ((double)facts->distinct >= NEARLY * (double)filled && facts->form[CELL_NUMBER] == 0 &&
             !m->sample->column[c].is_list && (facts->numbers < filled || facts->descents == 0 || is_code(m, c)))
        leave_out(column, "has another value in nearly every row");
    else if ((is_date(facts) || is_calendar_day(facts) || (facts->numbers == filled && unit_of(facts))) &&
             facts->descents * 50 <= filled)
        leave_out(column, "moves with time, so what it will be is not in the rows to learn from");
    else if (facts->numbers == 0 && m->sample->column[c].text_bytes > FREE_TEXT_BYTES * filled && facts->distinct * 2 > filled)
        leave_out(column, "holds sentences");
    return column->why != NULL;
}

static void guess_input(making_t *m, int c)
{
    const sample_column_t *of = &m->sample->column[c];
    const facts_t *facts = &m->facts[c];
    column_guess_t *column = &m->out->column[c];
    const char *fault = name_fault(m->sample, c);
    if (fault)
        leave_out(column, "%s", fault);
    else if (c == m->out->time)
        leave_out(column, "is the time");
    if (column->why || is_useless(m, c) || is_suspect(m, c))
        return;
    const int s = find_separator(of, facts);
    if (s >= 0) {
        column->input = INPUT_MULTI;
        column->separator = SAMPLE_SEPARATORS[s];
        column->why = mem_printf("%" PRId64 " values, %.1f in a row", of->cut[s].distinct,
                                 (double)of->cut[s].parts / (double)facts->form[CELL_TEXT]);
    } else if (facts->numbers == facts->filled && !is_code(m, c)) {
        guess_number(m, c);
    } else {
        guess_category(m, c);
    }
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

/* Rows that import would refuse; where not all of the file was looked at, as large a share is allowed of the rest. */
static void allow_bad_rows(making_t *m)
{
    const sample_t *sample = m->sample;
    guess_t *g = m->out;
    int64_t bad = sample->faulty;
    for (int64_t row = 0; row < sample->rows && sample->columns; row++)
        bad += m->label[row] == 2;
    if (bad > 0)
        g->bad_why = sample->faulty
                         ? mem_printf("%" PRId64 " of the rows have no proper form, the first in line %" PRId64 ": %s",
                                      sample->faulty, sample->fault_line, sample->fault)
                         : mem_printf("%" PRId64 " of the rows have no label", bad);
    const double share = sample->rows ? (double)bad / (double)(sample->rows + sample->faulty) : 0.0;
    if (sample->is_counted && sample->rows == sample->in_file)
        g->max_bad_rows = bad;
    else
        g->max_bad_rows = (int64_t)ceil((2.0 * share + 0.0001) * (double)sample->in_file);
    if (!g->bad_why && g->max_bad_rows)
        g->bad_why = mem_strdup("not all rows were looked at");
}

/* Both labels must be among the rows that train and among those that evaluate. */
static void check_split(making_t *m)
{
    const sample_t *sample = m->sample;
    guess_t *g = m->out;
    int64_t count[2][2] = {{0}};
    const int64_t bound = (int64_t)((double)sample->rows * TRAIN_SHARE);
    const double last = g->is_sorted ? quantile_of(sample, g->time) : g->train_max;
    for (int64_t row = 0; row < sample->rows; row++)
        if (m->label[row] < 2) {
            const bool trains = isnan(last) ? row < bound : sample->column[g->time].number[row] <= last;
            count[trains][m->label[row]]++;
        }
    if (sample->is_counted && sample->rows == sample->in_file &&
        (!count[0][0] || !count[0][1] || !count[1][0] || !count[1][1])) {
        mem_free(g->split_question);
        g->split_question =
            mem_printf("All rows that %s have one label: is the file sorted by it? Shuffle it before anything else.",
                       !count[0][0] || !count[0][1] ? "evaluate" : "train");
    }
}

static status_t check_inputs(const making_t *m)
{
    int inputs = 0;
    for (int c = 0; c < m->sample->columns; c++)
        inputs += m->out->column[c].input != INPUT_NOT;
    if (inputs > 0)
        return ST_OK;
    if (m->sample->columns == 1)
        return FAIL(ST_INPUT, "%s: no column is left to learn %s from: it is the only one", m->path, name_of(m, m->out->label));
    const int first = m->out->label == 0;
    return FAIL(ST_INPUT, "%s: no column is left to learn %s from; the first, %s, %s", m->path, name_of(m, m->out->label),
                name_of(m, first), m->out->column[first].why);
}

static status_t make(making_t *m, const char *label)
{
    const sample_t *sample = m->sample;
    char count[TEXT_BYTES];
    if (sample->rows < GUESS_ROWS_LEAST)
        return FAIL(ST_INPUT, "%s: it has %s row%s%s; at least %d are wanted, to learn from some and to evaluate on the others",
                    m->path, text_count(sample->rows, count), sample->rows == 1 ? "" : "s",
                    sample->header && sample->format != FORMAT_PARQUET ? " below its header" : "", GUESS_ROWS_LEAST);
    if (!sample->columns) {
        m->out->positive = (double)sample->positive / (double)sample->rows;
        allow_bad_rows(m);
        return ST_OK;
    }
    TRY(guess_label(m, label));
    guess_time(m);
    guess_group(m);
    for (int c = 0; c < sample->columns; c++)
        if (c != m->out->label)
            guess_input(m, c);
    allow_bad_rows(m);
    check_split(m);
    return check_inputs(m);
}

status_t guess_make(const sample_t *sample, const char *path, const char *label, guess_t *out)
{
    const int n = sample->columns;
    *out = (guess_t){.column = MEM_ARRAY(column_guess_t, n), .label = -1, .group = -1, .time = -1, .train_max = NAN};
    making_t m = {sample, path, MEM_ARRAY(facts_t, n), MEM_ARRAY(name_words_t, n), MEM_ARRAY(uint8_t, sample->rows), out};
    for (int c = 0; c < n; c++) {
        facts_of(sample, c, &m.facts[c]);
        m.words[c] = name_words_of(sample->column[c].name);
    }
    const status_t status = make(&m, label);
    mem_free(m.facts);
    mem_free(m.words);
    mem_free(m.label);
    if (status != ST_OK)
        guess_free(sample, out);
    return status;
}

void guess_free(const sample_t *sample, guess_t *guess)
{
    for (int c = 0; c < sample->columns && guess->column; c++) {
        mem_free(guess->column[c].why);
        mem_free(guess->column[c].question);
    }
    mem_free(guess->column);
    char *const texts[] = {guess->label_rule,    guess->label_why,     guess->group_why,      guess->time_why,
                           guess->split_why,     guess->bad_why,       guess->label_question, guess->group_question,
                           guess->time_question, guess->split_question};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        mem_free(texts[i]);
    *guess = (guess_t){0};
}
