/* SPDX-License-Identifier: Apache-2.0 */
#include "ridge.h"

#include <math.h>

int rv_ridge_init(struct rv_ridge *ridge, size_t terms, size_t targets)
{
    *ridge = (struct rv_ridge){ .terms = terms, .targets = targets };
    ridge->sums = calloc(terms + targets, sizeof(*ridge->sums));
    ridge->gram = calloc(terms * terms, sizeof(*ridge->gram));
    ridge->cross = calloc(targets * terms, sizeof(*ridge->cross));
    if (ridge->sums && ridge->gram && ridge->cross)
        return 0;
    rv_ridge_done(ridge);
    return -ENOMEM;
}

void rv_ridge_done(struct rv_ridge *ridge)
{
    free(ridge->sums);
    free(ridge->gram);
    free(ridge->cross);
    *ridge = (struct rv_ridge){ 0 };
}

void rv_ridge_add(struct rv_ridge *ridge, const double *terms, const double *targets, double weight)
{
    size_t n = ridge->terms;

    ridge->weight += weight;
    for (size_t i = 0; i < n; i++) {
        double *row = ridge->gram + i * n, term = terms[i] * weight;

        ridge->sums[i] += term;

        for (size_t k = 0; k <= i; k++)
            row[k] += term * terms[k];
    }
    for (size_t t = 0; t < ridge->targets; t++) {
        double *row = ridge->cross + t * n, target = targets[t] * weight;

        ridge->sums[n + t] += target;

        for (size_t i = 0; i < n; i++)
            row[i] += target * terms[i];
    }
}

static void subtract(double *into, const double *all, const double *part, size_t count)
{
    for (size_t i = 0; i < count; i++)
        into[i] = all[i] - part[i];
}

void rv_ridge_without(struct rv_ridge *into, const struct rv_ridge *all,
                      const struct rv_ridge *part)
{
    size_t n = all->terms;

    into->weight = all->weight - part->weight;
    subtract(into->sums, all->sums, part->sums, n + all->targets);
    subtract(into->gram, all->gram, part->gram, n * n);
    subtract(into->cross, all->cross, part->cross, all->targets * n);
}

int rv_ridge_standardise(struct rv_ridge *ridge, double *ret_mean, double *ret_deviation)
{
    size_t n = ridge->terms;

    if (!(ridge->weight > 0))
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        double mean = ridge->sums[i] / ridge->weight;
        double variance = ridge->gram[i * n + i] / ridge->weight - mean * mean;

        ret_mean[i] = mean;
        ret_deviation[i] = variance > 1e-12 ? sqrt(variance) : 1;
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k <= i; k++) {
            double *product = &ridge->gram[i * n + k];

            *product = (*product - ridge->weight * ret_mean[i] * ret_mean[k]) /
                       (ret_deviation[i] * ret_deviation[k]);
        }
        for (size_t t = 0; t < ridge->targets; t++) {
            double *product = &ridge->cross[t * n + i];

            *product = (*product - ridge->sums[n + t] * ret_mean[i]) / ret_deviation[i];
        }
    }
    return 0;
}

/** Lower Cholesky factor of a symmetric matrix (lower half given), in place. */
static int factor(double *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k <= i; k++) {
            double sum = a[i * n + k];

            for (size_t m = 0; m < k; m++)
                sum -= a[i * n + m] * a[k * n + m];
            if (i == k && !(sum > 0))
                return -EDOM;
            a[i * n + k] = i == k ? sqrt(sum) : sum / a[k * n + k];
        }
    }
    return 0;
}

/** Row i of `inverse` becomes column i of L^-1, so that the inner loops run along rows. */
static void invert_factor(const double *l, size_t n, double *inverse)
{
    for (size_t column = 0; column < n; column++) {
        double *x = inverse + column * n;

        for (size_t i = 0; i < column; i++)
            x[i] = 0;
        x[column] = 1 / l[column * n + column];
        for (size_t i = column + 1; i < n; i++) {
            double sum = 0;

            for (size_t k = column; k < i; k++)
                sum += l[i * n + k] * x[k];
            x[i] = -sum / l[i * n + i];
        }
    }
}

int rv_ridge_invert(struct rv_ridge *ridge, double penalty)
{
    size_t n = ridge->terms;
    RV_AUTO(rv_freep) double *inverse = malloc(n * n * sizeof(*inverse));
    int r;

    if (!inverse)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        ridge->gram[i * n + i] += penalty;
    r = factor(ridge->gram, n);
    if (r < 0)
        return r;
    invert_factor(ridge->gram, n, inverse);
    for (size_t i = 0; i < n; i++) { /* (L L')^-1 = L^-T L^-1 */
        for (size_t k = 0; k <= i; k++) {
            double sum = 0;

            for (size_t m = i; m < n; m++)
                sum += inverse[i * n + m] * inverse[k * n + m];
            ridge->gram[i * n + k] = ridge->gram[k * n + i] = sum;
        }
    }
    return 0;
}

/** Solve a small symmetric positive system in place; `a` is destroyed. */
static int solve_small(double *a, double *b, size_t n)
{
    int r = factor(a, n);

    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            b[i] -= a[i * n + k] * b[k];
        b[i] /= a[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++)
            b[i] -= a[k * n + i] * b[k];
        b[i] /= a[i * n + i];
    }
    return 0;
}

int rv_ridge_solve(const struct rv_ridge *ridge, size_t target, const size_t *left_out,
                   size_t left_out_count, double *ret_coefficients)
{
    size_t n = ridge->terms;
    RV_AUTO(rv_freep) double *g = malloc(n * sizeof(*g));
    RV_AUTO(rv_freep)
    double *small = malloc((left_out_count * left_out_count + 1) * sizeof(*small));
    RV_AUTO(rv_freep) double *correction = malloc((left_out_count + 1) * sizeof(*correction));
    int r;

    if (!g || !small || !correction)
        return -ENOMEM;
    memcpy(g, ridge->cross + target * n, n * sizeof(*g));
    for (size_t d = 0; d < left_out_count; d++)
        g[left_out[d]] = 0;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;

        for (size_t k = 0; k < n; k++)
            sum += ridge->gram[i * n + k] * g[k];
        ret_coefficients[i] = sum;
    }
    /* what the left-out terms would have got is taken back from the others */
    for (size_t d = 0; d < left_out_count; d++) {
        correction[d] = ret_coefficients[left_out[d]];
        for (size_t e = 0; e < left_out_count; e++)
            small[d * left_out_count + e] = ridge->gram[left_out[d] * n + left_out[e]];
    }
    r = solve_small(small, correction, left_out_count);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        for (size_t d = 0; d < left_out_count; d++)
            ret_coefficients[i] -= ridge->gram[i * n + left_out[d]] * correction[d];
    }
    for (size_t d = 0; d < left_out_count; d++)
        ret_coefficients[left_out[d]] = 0;
    return 0;
}
