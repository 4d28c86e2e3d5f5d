/* Proves: a teacher's predictions arrive whole or are refused with the reason; the loader puts beside every training example
 * the prediction of that very example, whatever the order and the worker, and none where a plan has no teacher; the file of a
 * finished teacher is read back as written, and refused where it belongs to another number of examples. */
#include "tests/lib/testing.h"

#include <math.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "launcher/run/teacher_file.h"
#include "tests/lib/sample.h"
#include "worker/loader.h"
#include "worker/teacher_predictions.h"

static void test_pieces(void **state)
{
    (void)state;
    float p[10] = {0, 1, 0.25f, 0.5f, 0.75f, 0.1f, 0.2f, 0.3f, 0.4f, 0.6f};
    const float *all = NULL;
    teacher_predictions_t *t = teacher_predictions_create(10, false);
    assert_refusal(teacher_predictions_put(t, 4, p, 2), /* a gap */
                   "predictions of examples 4 to 6 do not follow the 0 of 10 that are here");
    assert_int_equal(teacher_predictions_put(t, 0, p, 4), ST_OK);
    assert_int_equal(teacher_predictions_put(t, 0, p, 4), ST_MESSAGE); /* again */
    assert_refusal(teacher_predictions_put(t, 4, p + 4, 7), "predictions of examples 4 to 11 do not follow the 4 of 10");
    assert_int_equal(teacher_predictions_put(t, 4, p, -1), ST_MESSAGE);
    const float wrong[] = {NAN, -0.1f, 1.1f, INFINITY};
    for (int i = 0; i < 4; i++) {
        p[5] = wrong[i];
        assert_refusal(teacher_predictions_put(t, 4, p + 4, 6), "a teacher's prediction of example 5 is");
    }
    assert_refusal(teacher_predictions_all(t, &all), "4 of 10 predictions of the teacher have come");
    assert_null(all);
    p[5] = 0.1f;
    assert_int_equal(teacher_predictions_put(t, 4, p + 4, 6), ST_OK);
    assert_int_equal(teacher_predictions_all(t, &all), ST_OK);
    assert_memory_equal(all, p, sizeof p);
    teacher_predictions_destroy(&t);
    assert_null(t);
    t = teacher_predictions_create(10, true); /* of first visits: some examples may have none, and all others one */
    p[5] = NAN;
    assert_int_equal(teacher_predictions_put(t, 0, p, 10), ST_OK);
    teacher_predictions_destroy(&t);
    t = teacher_predictions_create(10, true);
    p[5] = 1.1f;
    catch_start();
    assert_int_equal(teacher_predictions_put(t, 0, p, 10), ST_MESSAGE);
    catch_stop();
    teacher_predictions_destroy(&t);
}

static float prediction_of(uint64_t group)
{
    return (float)group / 1024.0f;
}

static void test_loader(void **state)
{
    (void)state;
    const sample_options_t options = {
        .path = (test_dir(), test_path("data")), .seed = 4, .rows = 300, .single = 2, .values = 30, .train_fraction = 0.7};
    sample_t *sample = sample_create(&options);
    dataset_t *dataset;
    loader_t *loader;
    uint16_t slot_shard[HASH_SLOTS] = {0};
    assert_int_equal(dataset_open(options.path, 1 << 20, &dataset), ST_OK);
    assert_int_equal(loader_create(dataset, 1, slot_shard, NULL, &loader), ST_OK);
    float *teacher = MEM_ARRAY(float, sample->train_rows);
    for (int i = 0; i < sample->train_rows; i++)
        teacher[i] = prediction_of((uint64_t)sample->train[i] + 1);
    const lanes_t lanes = {.batch = 32, .total = 2 * sample->train_rows, .lanes = 4};
    for (int order = 0; order < ORDER_COUNT; order++)
        for (int worker = 0; worker < 2; worker++)
            for (int taught = 1; taught >= 0; taught--) {
                const batch_plan_t plan = {.split = SPLIT_TRAIN,
                                           .worker = worker,
                                           .workers = 2,
                                           .lanes = lanes,
                                           .order = {(data_order_t)order, 9, sample->train_rows, 32, 0, 1},
                                           .teacher = taught ? teacher : NULL};
                int64_t examples = 0;
                loader_start(loader, &plan);
                for (batch_t *batch;;) {
                    assert_int_equal(loader_next(loader, 30000, &batch), ST_OK);
                    if (!batch)
                        break;
                    assert_int_equal(batch->taught, taught);
                    for (int r = 0; r < batch->rows && taught; r++)
                        assert_true(batch->teacher[r] == prediction_of(batch->group[r]));
                    examples += batch->rows;
                    loader_recycle(loader, batch);
                }
                assert_true(examples > lanes.total / 3);
            }
    mem_free(teacher);
    loader_destroy(&loader);
    dataset_close(&dataset);
    sample_destroy(&sample);
}

static void test_file(void **state)
{
    (void)state;
    const float p[] = {0.5f, 0.25f, 0.125f};
    float *got = NULL;
    const char *dir = test_dir();
    assert_false(teacher_file_exists(dir, SOFT_LABELS_FINAL));
    catch_start();
    assert_int_equal(teacher_file_read(dir, SOFT_LABELS_FINAL, 3, &got), ST_INPUT);
    catch_stop();
    assert_caught("teacher.f32");
    assert_int_equal(teacher_file_write(dir, SOFT_LABELS_FINAL, p, 3), ST_OK);
    assert_true(teacher_file_exists(dir, SOFT_LABELS_FINAL));
    assert_false(teacher_file_exists(dir, SOFT_LABELS_PROGRESSIVE));
    assert_int_equal(teacher_file_read(dir, SOFT_LABELS_FINAL, 3, &got), ST_OK);
    assert_memory_equal(got, p, sizeof p);
    mem_free(got);
    got = NULL;
    catch_start();
    assert_int_equal(teacher_file_read(dir, SOFT_LABELS_FINAL, 4, &got), ST_INPUT);
    catch_stop();
    assert_caught(
        "teacher.f32 has 12 bytes and not the 16 of 4 training examples; remove the folder to train the teacher again");
    assert_null(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_loader),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
