#include "worker/teacher_predictions.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/base/memory.h"

struct teacher_predictions {
    int64_t rows, known;
    bool with_gaps;
    float *p;
};

teacher_predictions_t *teacher_predictions_create(int64_t rows, bool with_gaps)
{
    ASSERT(rows >= 0);
    teacher_predictions_t *t = MEM_NEW(teacher_predictions_t);
    t->rows = rows;
    t->with_gaps = with_gaps;
    t->p = MEM_ARRAY(float, rows);
    return t;
}

void teacher_predictions_destroy(teacher_predictions_t **teacher)
{
    teacher_predictions_t *t = *teacher;
    if (!t)
        return;
    mem_free(t->p);
    mem_free(t);
    *teacher = NULL;
}

status_t teacher_predictions_put(teacher_predictions_t *t, int64_t first, const float *p, int64_t n)
{
    if (first != t->known || n < 0 || n > t->rows - first)
        return REFUSE("a teacher's predictions of examples %" PRId64 " to %" PRId64 " do not follow the %" PRId64 " of %" PRId64
                      " that are here",
                      first, (first + n), t->known, t->rows);
    for (int64_t i = 0; i < n; i++)
        if (!(p[i] >= 0.0f && p[i] <= 1.0f) && !(t->with_gaps && isnan(p[i])))
            return REFUSE("a teacher's prediction of example %" PRId64 " is %g, which is no probability", (first + i),
                          (double)p[i]);
    memcpy(t->p + first, p, (size_t)n * sizeof *p);
    t->known += n;
    return ST_OK;
}

status_t teacher_predictions_all(const teacher_predictions_t *t, const float **out)
{
    if (t->known < t->rows)
        return REFUSE("%" PRId64 " of %" PRId64 " predictions of the teacher have come", t->known, t->rows);
    *out = t->p;
    return ST_OK;
}
