/* test_table_plan - "tables are numbered component after component and field after field inside one": numbers and tables are
 * one another's inverse, every table of a set is in its range, input columns lie side by side; one set for all where components
 * share their embeddings; fields may have widths of their own. */
#include "common/config/table_plan.h"

#include "tests/lib/testing.h"

static void check(const table_plan_t *plan)
{
    uint32_t id = 0;
    for (int set = 0; set < plan->sets; set++) {
        int32_t column = 0;
        assert_int_equal(table_plan_id(plan, set, 0), id);
        for (int field = 0; field < plan->fields; field++, id++) {
            const planned_table_t table = table_plan_at(plan, id);
            assert_int_equal(table_plan_id(plan, set, field), id);
            assert_int_equal(table.component, set);
            assert_int_equal(table.field, field);
            assert_int_equal(table.width, plan->field[field].width);
            assert_int_equal(table.optimizer, plan->field[field].optimizer);
            assert_int_equal(plan->field[field].column, column);
            column += table.width;
        }
        assert_int_equal(plan->columns, column);
    }
    assert_int_equal(plan->tables, id);
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
        assert_int_equal(plan.field[6].optimizer, cases[i].optimizer);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_a_configuration),
        cmocka_unit_test(test_of_widths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
