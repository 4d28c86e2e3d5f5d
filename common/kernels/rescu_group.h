/* rescu_group.h - the loops of RESCU over groups of GROUP_BYTES, which is what a register has. A part of activation_rescu.c,
 * which includes it for each width; GROUPED makes names of that width. */
#define GROUP_FLOATS (GROUP_BYTES / (int)sizeof(float))
#define floats_t GROUPED(floats_t)
#define bits_t GROUPED(bits_t)
#define choose GROUPED(choose)
#define knot_group_t GROUPED(knot_group_t)
#define evaluate GROUPED(evaluate)
#define load GROUPED(load)
#define store GROUPED(store)

typedef float floats_t __attribute__((vector_size(GROUP_BYTES)));
typedef int32_t bits_t __attribute__((vector_size(GROUP_BYTES)));

/* a where the mask is set, else b: written with bits, because a conditional in a loop over knots becomes a branch. */
static inline floats_t choose(bits_t mask, floats_t a, floats_t b)
{
    return (floats_t)((mask & (bits_t)a) | (~mask & (bits_t)b));
}

typedef struct {
    floats_t value, slope;
} knot_group_t;

static inline knot_group_t evaluate(floats_t x, const parabola_pieces_t *pieces)
{
    floats_t start = pieces->at[0].start - (floats_t){0}, value = pieces->at[0].value - (floats_t){0};
    floats_t slope = pieces->at[0].slope - (floats_t){0}, half_bend = {0};
    for (int i = 1; i < pieces->count; i++) {
        const floats_t all = {0};
        const piece_t piece = pieces->at[i];
        const bits_t past = x >= piece.start;
        start = choose(past, piece.start - all, start);
        value = choose(past, piece.value - all, value);
        slope = choose(past, piece.slope - all, slope);
        half_bend = choose(past, piece.half_bend - all, half_bend);
    }
    const floats_t u = x - start, bent = half_bend * u;
    return (knot_group_t){value + u * (slope + bent), slope + (bent + bent)};
}

/* The last group may be short: what is beyond it is computed from zeros and dropped. */
static inline floats_t load(const float *at, int64_t left)
{
    floats_t group = {0};
    if (left >= GROUP_FLOATS)
        memcpy(&group, at, sizeof group);
    else
        memcpy(&group, at, (size_t)left * sizeof *at);
    return group;
}

static inline void store(float *at, floats_t group, int64_t left)
{
    if (left >= GROUP_FLOATS)
        memcpy(at, &group, sizeof group);
    else
        memcpy(at, &group, (size_t)left * sizeof *at);
}

static void GROUPED(forward)(float *y, const float *x, int64_t n, const parabola_pieces_t *pieces, float most)
{
    const floats_t clip = most - (floats_t){0};
    for (int64_t i = 0; i < n; i += GROUP_FLOATS) {
        floats_t f = evaluate(load(x + i, n - i), pieces).value;
        f = choose(f > clip, clip, f);
        store(y + i, choose(f < -clip, -clip, f), n - i);
    }
}

static void GROUPED(backward)(float *dx, const float *dy, const float *x, int64_t n, const parabola_pieces_t *pieces,
                              float most)
{
    const floats_t clip = most - (floats_t){0}, zero = {0};
    for (int64_t i = 0; i < n; i += GROUP_FLOATS) {
        const knot_group_t f = evaluate(load(x + i, n - i), pieces);
        const bits_t clipped = (f.value >= clip) | (f.value <= -clip);
        store(dx + i, choose(clipped, zero, load(dy + i, n - i) * f.slope), n - i);
    }
}

#undef floats_t
#undef bits_t
#undef choose
#undef knot_group_t
#undef evaluate
#undef load
#undef store
#undef GROUP_FLOATS
#undef GROUP_BYTES
#undef GROUPED
