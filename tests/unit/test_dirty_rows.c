/* test_changes - the search for rows that wait to be saved finds each, wherever it has moved since, and skips groups without
 * any: few marks among many rows, with rows that leave, take another's place, or come back waiting while the search is under
 * way.
 *
 * The oracle is two flags per key.                                                                                      */
#include "common/base/rng.h"
#include "ps/table/dirty_rows.h"
#include "tests/lib/testing.h"

enum { ROWS = 20000, OPERATIONS = 60000 };

typedef struct fixture {
    row_arena_t arena;
    dirty_rows_t dirty;
    bool changed[2 * ROWS], waiting[2 * ROWS]; /* by key */
    int64_t n_waiting, saved;
    uint64_t next_key;
} fixture_t;

static row_t *add(fixture_t *f)
{
    row_t *row = row_arena_add(&f->arena);
    row->key = f->next_key++;
    return row;
}

static void save(fixture_t *f, row_t *row)
{
    assert_true(dirty_rows_is_frozen(&f->dirty, row));
    assert_true(f->waiting[row->key]);
    dirty_rows_saved(&f->dirty, row);
    f->waiting[row->key] = false;
    f->n_waiting--;
    f->saved++;
}

static void change(fixture_t *f, int64_t id)
{
    row_t *row = row_arena_at(&f->arena, id);
    assert_int_equal(dirty_rows_has(&f->dirty, row), f->changed[row->key] && !f->waiting[row->key]);
    if (dirty_rows_is_frozen(&f->dirty, row))
        save(f, row);
    dirty_rows_note(&f->dirty, id, row);
    f->changed[row->key] = true;
}

static void leave(fixture_t *f, int64_t id)
{
    row_t *row = row_arena_at(&f->arena, id);
    if (dirty_rows_is_frozen(&f->dirty, row))
        save(f, row);
    f->changed[row->key] = false;
    row_arena_remove(&f->arena, id);
    if (id != f->arena.rows)
        dirty_rows_moved(&f->dirty, id, row_arena_at(&f->arena, id));
}

static void freeze(fixture_t *f)
{
    dirty_rows_freeze(&f->dirty);
    for (uint64_t key = 0; key < f->next_key; key++) {
        assert_false(f->waiting[key]);
        f->waiting[key] = f->changed[key];
        f->n_waiting += f->changed[key];
        f->changed[key] = false;
    }
}

static void test_every_waiting_row_is_found(void **state)
{
    (void)state;
    static fixture_t f;
    row_arena_init(&f.arena, 1, true);
    dirty_rows_start(&f.dirty, &f.arena);
    while (f.arena.rows < ROWS)
        add(&f); /* as if they had come back unchanged */
    int freezes = 0;
    for (uint64_t o = 0; o < OPERATIONS; o++) {
        const int64_t id = (int64_t)(rng_u64(1, 1, o) % (uint64_t)f.arena.rows), last = f.arena.rows - 1;
        switch (rng_u64(1, 0, o) % 8) {
        case 0:
            change(&f, id);
            break;
        case 1:
            change(&f, last);
            break;
        case 2: /* the last row, perhaps marked, goes where no mark may be */
            leave(&f, id);
            break;
        case 3:
            if (f.next_key == 2 * ROWS)
                break;
            row_t *row = add(&f);
            if (f.dirty.saving && o % 2) {
                dirty_rows_note_frozen(&f.dirty, f.arena.rows - 1, row);
                f.waiting[row->key] = true;
                f.n_waiting++;
            }
            break;
        default:
            if (!f.dirty.saving && o % 20 == 0) {
                freeze(&f);
                freezes++;
            }
            if (!f.dirty.saving)
                break;
            const int64_t found = dirty_rows_next(&f.dirty, &f.arena);
            assert_int_equal(found < 0, f.n_waiting == 0);
            if (found >= 0)
                save(&f, row_arena_at(&f.arena, found));
        }
    }
    assert_true(freezes > 10 && f.saved > 2000);
    dirty_rows_fini(&f.dirty);
    row_arena_fini(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_waiting_row_is_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
