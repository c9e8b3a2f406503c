/* SPDX-License-Identifier: MIT */
/*
 * rope_freqs.c -- theta^(-2i/D); where scaled, as Llama 3 does: waves shorter
 * than the original context / high stay, those longer than / low are stretched
 * by the factor, between them it goes over smoothly.
 */
#include "cwm/model/rope_freqs.h"

#include <math.h>

void rope_freqs(const struct model_config *c, float *freqs)
{
    const double two_pi = 6.283185307179586;
    const struct rope_scaling *s = &c->scaling;
    size_t i;

    for (i = 0; i < c->d_head / 2; i++) {
        double freq = 1.0 / pow(c->rope_theta, 2.0 * (double)i / c->d_head);
        double n_waves = s->n_original * freq / two_pi;

        if (s->on && n_waves < s->low) {
            freq /= s->factor;
        } else if (s->on && n_waves < s->high) {
            double smooth = (n_waves - s->low) / (s->high - s->low);

            freq = (1.0 - smooth) * freq / s->factor + smooth * freq;
        }
        freqs[i] = (float)freq;
    }
}
