/* test_table_plan - "tables are numbered component after component and field after field inside one": numbers and tables are
 * one another's inverse, every table of a set is in its range, input columns lie side by side; one set for all where components
 * share their embeddings; fields may have widths of their own, and several may have their rows in one table. */
#include "common/config/table_plan.h"

#include "tests/lib/testing.h"

static void check(const table_plan_t *plan)
{
    uint32_t id = 0;
    int32_t column = 0, fields = 0;
    for (int set = 0; set < plan->sets; set++) {
        assert_int_equal(table_plan_id(plan, set, 0), id);
        for (int t = 0; t < plan->set_tables; t++, id++) {
            const planned_table_t table = table_plan_at(plan, id);
            assert_int_equal(table_plan_id(plan, set, t), id);
            assert_int_equal(table.component, set);
            assert_int_equal(table.table, t);
            assert_int_equal(plan->field[table.field].table, t);
            assert_int_equal(table.optimizer, plan->table[t].optimizer);
        }
    }
    assert_int_equal(plan->tables, id);
    for (int f = 0; f < plan->fields; f++) {
        const set_table_t *table = &plan->table[plan->field[f].table];
        assert_int_equal(plan->field[f].width, table->width);
        assert_int_equal(plan->field[f].column, column);
        column += table->width;
    }
    assert_int_equal(plan->columns, column);
    for (int t = 0; t < plan->set_tables; t++)
        fields += plan->table[t].fields;
    assert_int_equal(fields, plan->fields);
}

static void test_of_a_configuration(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int sets, width, optimizer;
    } cases[] = {
        {"embedding: {dim: 5}\n", 1, 5, OPTIMIZER_ADAGRAD},
        {"model: {components: 3}\nembedding: {dim: 16, optimizer: sgd}\n", 3, 16, OPTIMIZER_SGD},
        {"model: {components: 3, share_embeddings: true}\nembedding: {optimizer: adagrad_row}\n", 1, 8, OPTIMIZER_ADAGRAD_ROW},
        {"model: {components: 2}\nobjective: {kind: codistill}\n", 2, 8, OPTIMIZER_ADAGRAD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        experiment_t *e = NULL;
        table_plan_t plan;
        test_dir();
        assert_int_equal(experiment_load(test_write("c.yaml", cases[i].yaml), NULL, 0, &e), ST_OK);
        table_plan_init(&plan, e->base, 7);
        check(&plan);
        assert_int_equal(plan.sets, cases[i].sets);
        assert_int_equal(plan.fields, 7);
        assert_int_equal(plan.width, cases[i].width);
        assert_int_equal(plan.widest, cases[i].width);
        assert_int_equal(plan.table[6].optimizer, cases[i].optimizer);
        assert_true(plan.is_plain && !plan.is_shared && plan.set_tables == 7);
        for (int k = 0; k < e->base->model.components; k++)
            assert_int_equal(table_plan_set(&plan, k), cases[i].sets > 1 ? k : 0);
        table_plan_fini(&plan);
        assert_null(plan.field);
        table_plan_fini(&plan);
        experiment_destroy(&e);
    }
}

static void test_of_widths(void **state)
{
    (void)state;
    table_plan_t plan;
    table_plan_init_widths(&plan, 2, 4, (const int32_t[]){8, 8, 4096, 1}, OPTIMIZER_SGD);
    check(&plan);
    assert_int_equal(plan.width, 0);
    assert_int_equal(plan.widest, 4096);
    assert_int_equal(plan.columns, 4113);
    table_plan_fini(&plan);
    /* The first width comes back after another one. */
    table_plan_init_widths(&plan, 1, 3, (const int32_t[]){8, 4, 8}, OPTIMIZER_SGD);
    check(&plan);
    assert_int_equal(plan.width, 0);
    table_plan_fini(&plan);
    /* A dataset of numeric fields alone. */
    table_plan_init_widths(&plan, 3, 0, NULL, OPTIMIZER_SGD);
    check(&plan);
    assert_int_equal(plan.columns, 0);
    table_plan_fini(&plan);
}

/* Tables are numbered as fields need them, and named after the field that lends its name. */
static void test_of_shared_tables(void **state)
{
    (void)state;
    static const field_wish_t wish[] = {{"a", 8, 3}, {"b", 4, 1}, {"c", 8, 3}, {"d", 8, 3}, {"e", 4, 4}};
    static const int32_t table[] = {0, 1, 0, 0, 2};
    table_plan_t plan;
    table_plan_init_fields(&plan, 2, 5, wish, OPTIMIZER_SGD);
    check(&plan);
    for (int f = 0; f < 5; f++) {
        assert_int_equal(plan.field[f].table, table[f]);
        assert_string_equal(plan.name[f], wish[f].name);
    }
    assert_int_equal(plan.set_tables, 3);
    assert_int_equal(plan.tables, 6);
    assert_int_equal(plan.table[0].fields, 3);
    assert_int_equal(plan.table[0].field, 3);
    assert_true(plan.is_shared);
    table_plan_fini(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_a_configuration),
        cmocka_unit_test(test_of_widths),
        cmocka_unit_test(test_of_shared_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
