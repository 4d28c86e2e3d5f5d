/* Proves that what was observed of activated layers reads back as it was written, whatever order components came in; that
 * layers which are not activated are left out; and that a file without the member, of an older program, has none. */
#include "tests/lib/testing.h"

#include <math.h>

#include "launcher/run/activated_layers.h"

static void test_round_trip(void **state)
{
    (void)state;
    const message_activated_t seen[] = {{NAN, NAN, NAN}, {0.5f, 0.25f, 3.0f}, {2.0f, NAN, NAN}};
    const float clipped[] = {0.0f, 0.0f, 0.125f};
    activated_layers_t layers = {0}, read = {0};
    activated_layers_add(&layers, 1, seen + 1, clipped + 1, 2);
    activated_layers_add(&layers, 0, seen, clipped, 3);
    jsondoc_t *doc = jsondoc_object();
    activated_layers_put(doc, &layers);
    assert_int_equal(activated_layers_get(doc, "here", &read), ST_OK);
    assert_int_equal(read.n, 4);
    for (int i = 0; i < 4; i++) {
        const activated_layer_t *l = &read.at[i];
        assert_int_equal(l->component, i / 2);
        assert_int_equal(l->layer, i < 2 ? i + 1 : i - 2);
        assert_true(l->spread == (i % 2 ? 2.0 : 0.5) && l->clipped_share == (i % 2 ? 0.125 : 0.0));
        assert_true(i % 2 ? isnan(l->inside_share) : l->inside_share == 0.25);
        assert_true(i % 2 ? isnan(l->beta) : l->beta == 3.0);
    }
    jsondoc_destroy(&doc);
    activated_layers_fini(&layers);
    activated_layers_fini(&read);
}

static void test_not_recorded(void **state)
{
    (void)state;
    activated_layers_t none = {0};
    jsondoc_t *doc = jsondoc_object();
    activated_layers_put(doc, &none);
    assert_false(jsondoc_has(doc, "activated_layers"));
    assert_int_equal(activated_layers_get(doc, "here", &none), ST_OK);
    assert_int_equal(none.n, 0);
    jsondoc_put_text(doc, "activated_layers", "many");
    assert_int_equal(activated_layers_get(doc, "here", &none), ST_CORRUPT);
    jsondoc_destroy(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_not_recorded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
