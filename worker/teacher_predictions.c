#include "worker/teacher_predictions.h"

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
        return FAIL(ST_MESSAGE, "a teacher's predictions of examples %lld to %lld do not follow the %lld of %lld that are here",
                    (long long)first, (long long)(first + n), (long long)t->known, (long long)t->rows);
    for (int64_t i = 0; i < n; i++)
        if (!(p[i] >= 0.0f && p[i] <= 1.0f) && !(t->with_gaps && isnan(p[i])))
            return FAIL(ST_MESSAGE, "a teacher's prediction of example %lld is %g, which is no probability",
                        (long long)(first + i), (double)p[i]);
    memcpy(t->p + first, p, (size_t)n * sizeof *p);
    t->known += n;
    return ST_OK;
}

status_t teacher_predictions_all(const teacher_predictions_t *t, const float **out)
{
    if (t->known < t->rows)
        return FAIL(ST_MESSAGE, "%lld of %lld predictions of the teacher have come", (long long)t->known, (long long)t->rows);
    *out = t->p;
    return ST_OK;
}
