/* Proves: names of fields in a configuration become the plan of that dataset's fields; what names none, or one that is not fit,
 * is refused in one line that says where, what and what to do instead; the resolved text loads back to itself, says the same
 * whatever the order of names, and is laid over itself name by name. */
#include "common/data/field_plan.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/config/field_options.h"
#include "common/data/cross_key.h"
#include "tests/lib/testing.h"

static const dataset_field_t fields[] = {
    {.name = "age", .kind = COLUMN_NUMERIC},
    {.name = "user", .kind = COLUMN_CATEGORICAL, .rules = {.keys = "k", .transform = "none", .missing = "a"}},
    {.name = "a tab", .kind = COLUMN_CATEGORICAL, .rules = {.keys = "k", .transform = "log2_bucket"}},
    {.name = "hour", .kind = COLUMN_CATEGORICAL},
    {.name = "history", .kind = COLUMN_MULTI, .rules = {.keys = "k", .separator = "|", .weights = "1", .missing = "b"}},
};
static const dataset_info_t info = {.numeric = 1, .single = 3, .multi = 1, .fields = fields};

static experiment_t *load(const char *yaml)
{
    experiment_t *e = NULL;
    test_dir();
    assert_int_equal(experiment_load(test_write("c.yaml", yaml), NULL, 0, &e), ST_OK);
    return e;
}

static void assert_widths(const config_t *config, const int32_t wanted[4])
{
    table_plan_t plan;
    assert_int_equal(field_plan_of(&plan, config, &info, "d"), ST_OK);
    assert_int_equal(plan.fields, 4);
    for (int f = 0; f < 4; f++) {
        assert_int_equal(plan.field[f].width, wanted[f]);
        assert_string_equal(plan.name[f], fields[1 + f].name);
    }
    table_plan_fini(&plan);
}

static void test_widths(void **state)
{
    (void)state;
    experiment_t *e = load("fields: {widths: {history: 3, \"a tab\": 16}}\n");
    assert_widths(e->base, (const int32_t[]){8, 16, 8, 3});
    assert_string_equal(e->base->fields.widths, "{\"a tab\": 16, history: 3}");
    char *text;
    config_t *again;
    assert_int_equal(config_text(e->base, &text), ST_OK);
    assert_int_equal(config_from_text(text, strlen(text), "test", &again), ST_OK);
    assert_true(config_hash(again) == config_hash(e->base));
    assert_string_equal(again->fields.widths, e->base->fields.widths);
    field_options_scale(again, 0.1);
    assert_string_equal(again->fields.widths, "{\"a tab\": 2, history: 1}");
    mem_free(text);
    config_destroy(&again);
    experiment_destroy(&e);
}

/* Crosses stand behind the single-valued fields; tables are numbered as fields need them. */
static void test_shares_and_crosses(void **state)
{
    (void)state;
    experiment_t *e = load("embedding: {dim: 5}\n"
                           "model: {components: 2}\n"
                           "fields:\n"
                           "  widths: {user: 16}\n"
                           "  share: {history: user, hour: hour}\n"
                           "  crosses:\n"
                           "    - [hour, user]\n"
                           "    - {of: [user, \"a tab\", hour], width: 3, buckets: 100}\n");
    static const struct {
        const char *name;
        int32_t width, table;
    } wanted[] = {{"user", 16, 0},   {"a tab", 5, 1}, {"hour", 5, 2}, {"hour x user", 5, 3}, {"user x a tab x hour", 3, 4},
                  {"history", 16, 0}};
    table_plan_t plan;
    assert_int_equal(field_plan_of(&plan, e->base, &info, "d"), ST_OK);
    assert_int_equal(plan.fields, 6);
    assert_int_equal(plan.set_tables, 5);
    assert_int_equal(plan.tables, 10);
    assert_true(plan.is_shared && !plan.is_plain);
    for (int f = 0; f < plan.fields; f++) {
        assert_string_equal(plan.name[f], wanted[f].name);
        assert_int_equal(plan.field[f].width, wanted[f].width);
        assert_int_equal(plan.field[f].table, wanted[f].table);
    }
    assert_int_equal(plan.first_cross, 3);
    assert_int_equal(plan.crosses, 2);
    assert_true(plan.cross[0].parts == 2 && plan.cross[0].part[0] == 2 && plan.cross[0].part[1] == 0);
    assert_true(plan.cross[1].parts == 3 && plan.cross[1].part[1] == 1 && plan.cross[1].buckets == 100);
    field_options_scale(e->base, 2.0);
    assert_string_equal(e->base->fields.crosses, "[[hour, user], {buckets: 100, of: [user, \"a tab\", hour], width: 6}]");
    table_plan_fini(&plan);
    experiment_destroy(&e);
}

/* "k := mix(.. mix(mix(k1) + k2) .. + kn), or, of N buckets, the number floor(k N / 2^64)". */
static void test_keys_of_crosses(void **state)
{
    (void)state;
    const uint64_t single[] = {1, 2, UINT64_MAX};
    const planned_cross_t two = {.parts = 2, .part = {0, 1}}, back = {.parts = 2, .part = {1, 0}},
                          three = {.parts = 3, .part = {0, 1, 2}}, few = {.parts = 3, .part = {0, 1, 2}, .buckets = 10};
    assert_true(cross_key(&two, single) == UINT64_C(0xbcd9dbb49673066b));
    assert_true(cross_key(&three, single) == UINT64_C(0xb815246f417cade2));
    assert_true(cross_key(&two, single) != cross_key(&back, single));
    assert_int_equal(cross_key(&few, single), 7);
}

static void test_a_plain_plan(void **state)
{
    (void)state;
    experiment_t *e = load("embedding: {dim: 5}\n");
    table_plan_t plan;
    assert_widths(e->base, (const int32_t[]){5, 5, 5, 5});
    assert_int_equal(field_plan_of(&plan, e->base, &info, "d"), ST_OK);
    assert_true(plan.is_plain);
    table_plan_fini(&plan);
    experiment_destroy(&e);
}

static void test_a_variant_adds_names(void **state)
{
    (void)state;
    experiment_t *e = load("fields: {widths: {user: 4, hour: 2}}\n"
                           "variants:\n"
                           "  - {name: a, fields: {widths: {user: 6}}}\n"
                           "  - {name: b, fields: {widths: {history: 7}}}\n");
    assert_widths(e->base, (const int32_t[]){4, 8, 2, 8});
    assert_widths(e->configs[0], (const int32_t[]){6, 8, 2, 8});
    assert_widths(e->configs[1], (const int32_t[]){4, 8, 2, 7});
    experiment_destroy(&e);
}

static void test_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *line;
    } wrong[] = {
        {"fields: {widths: {user: 0}}\n", "c.yaml:1: fields.widths.user: '0' is given; allowed: a whole number from 1 to 4096"},
        {"fields: {widths: {user: 4097}}\n", "fields.widths.user: '4097' is given"},
        {"fields: {widths: {user: 08}}\n", "fields.widths.user: '08' is given"},
        {"fields: {widths: {user: }}\n", "fields.widths.user: no number is given"},
        {"fields: {widths: {user: [1]}}\n", "fields.widths.user: no number is given"},
        {"fields: {widths: [user]}\n", "fields.widths: a list is given; a map of keys to values"},
        {"fields: {widths: 12}\n", "fields.widths: '12' is given; a map of keys to values"},
        {"fields: {widths: {user: 1, user: 2}}\n", "user"},
        {"fields: {share: {history: user, user: hour}}\n",
         "fields.share.history: 'user' itself has its rows in the table of 'hour'; name that one"},
        {"fields: {share: {history: [user]}}\n", "fields.share.history: '' is no name of a field"},
        {"fields: {share: {history: user}, widths: {history: 4, user: 16}}\n",
         "fields.widths.history: 4 is another width than the 16 of 'user', whose table fields.share gives it too; leave it "
         "out"},
        {"fields: {share: {history: user}, widths: {history: 4}}\n", "4 is another width than the 8 of 'user'"},
        {"fields: {crosses: [[user]]}\n",
         "c.yaml:1: fields.crosses[1]: a cross is of 2 to 8 fields; write it as [user_id, tab]"},
        {"fields: {crosses: [user]}\n", "fields.crosses[1]: a cross is of 2 to 8 fields"},
        {"fields: {crosses: user x hour}\n", "fields.crosses: a list of at most 64 crosses is wanted"},
        {"fields: {crosses: [[user, user]]}\n", "fields.crosses[1][2]: 'user' is in this cross before"},
        {"fields: {crosses: [[user, hour], {of: [hour, user]}]}\n",
         "fields.crosses[2]: 'hour x user' is a cross of the same fields as 'user x hour'; keep one of them"},
        {"fields: {crosses: [{width: 4}]}\n", "fields.crosses[1]: the cross does not say what it is of"},
        {"fields: {crosses: [{of: [user, hour], widht: 4}]}\n",
         "fields.crosses[1].widht: unknown key; allowed in a cross: of, width"},
        {"fields: {crosses: [{of: [user, hour], buckets: -1}]}\n",
         "fields.crosses[1].buckets: '-1' is given; allowed: a whole number from 0"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        experiment_t *e = NULL;
        test_dir();
        catch_start();
        assert_int_equal(experiment_load(test_write("c.yaml", wrong[i].yaml), NULL, 0, &e), ST_INPUT);
        catch_stop();
        assert_caught(wrong[i].line);
    }
}

static void test_names_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *line;
    } wrong[] = {
        {"fields: {widths: {users: 4}}\n", "fields.widths: dataset d has no field 'users'; did you mean 'user'?"},
        {"fields: {widths: {nothing_like_it: 4}}\n",
         "fields.widths: dataset d has no field 'nothing_like_it'; its categorical fields are user, a tab, hour, history"},
        {"fields: {widths: {age: 4}}\n", "fields.widths: 'age' of dataset d is a numeric field, which has no embedding"},
        {"fields: {share: {history: video}}\n", "fields.share: dataset d has no field 'video'"},
        {"fields: {share: {history: \"a tab\"}}\n", "fields.share: 'history' and 'a tab' cannot have their rows in one table: "
                                                    "the transform of one is 'none', of the other "
                                                    "'log2_bucket'"},
        {"fields: {share: {hour: user}}\n",
         "fields.share: dataset d does not record how the keys of 'hour' and 'user' were made"},
        {"fields: {crosses: [[user, ours]]}\n", "fields.crosses: dataset d has no field 'ours'; did you mean 'hour'?"},
        {"fields: {crosses: [[user, age]]}\n", "fields.crosses: 'age' of dataset d is a numeric field"},
        {"fields: {crosses: [[user, history]]}\n",
         "fields.crosses: 'history' of dataset d holds any number of values, and 'user x history' is made of one of each"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        experiment_t *e = load(wrong[i].yaml);
        table_plan_t plan;
        catch_start();
        assert_int_equal(field_plan_of(&plan, e->base, &info, "d"), ST_INPUT);
        catch_stop();
        assert_caught(wrong[i].line);
        assert_null(plan.field);
        experiment_destroy(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_shares_and_crosses),
        cmocka_unit_test(test_keys_of_crosses),
        cmocka_unit_test(test_a_plain_plan),
        cmocka_unit_test(test_a_variant_adds_names),
        cmocka_unit_test(test_files_are_refused),
        cmocka_unit_test(test_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
