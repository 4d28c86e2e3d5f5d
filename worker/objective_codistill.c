/* Co-distillation: each peer also learns from the mean of the others (Anil et al. 2018; docs/MATH.md eq. 12b, 12c). A peer is
 * an ensemble of M components (M = 1 unless objective.peers says otherwise), so for component k of peer g
 *
 *     q_k = mean of sigma(z_j) over the components j of the other peers,  a constant for the gradient
 *     cross_entropy   extra = -q log p - (1 - q) log(1 - p)       dz_k += scale (p_k - q_k)
 *     logit           extra = (z_k - m_k)^2 / 2, m_k likewise     dz_k += scale (z_k - m_k)
 *
 * Peers are of one size, hence the mean over peers of their means is the mean over components. */
#include "worker/objective.h"

static void add(const config_t *config, const objective_lane_t *lane, int hidden_width, float scale, float *scratch,
                matrix_t *matrix)
{
    (void)hidden_width;
    (void)scratch;
    (void)matrix;
    const int components = (int)config->model.components, members = components / (int)config_peers(config);
    const double others = components - members;
    const bool of_logits = config->objective.loss == DISTANCE_LOGIT;
    for (int first = 0; first < components; first += members)
        for (int i = 0; i < lane->rows; i++) {
            double sum = 0.0;
            for (int j = 0; j < components; j++)
                if (j < first || j >= first + members)
                    sum += of_logits ? lane->z[j][i] : lane->p[j][i];
            const float mean = (float)(sum / others);
            for (int k = first; k < first + members; k++)
                lane->dz[k][i] += scale * ((of_logits ? lane->z[k][i] : lane->p[k][i]) - mean);
        }
}

const objective_kind_entry_t objective_codistill = {.name = "codistill", .is_of_examples = true, .add = add};
