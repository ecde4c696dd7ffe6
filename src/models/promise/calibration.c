/* SPDX-License-Identifier: Apache-2.0 */
#include "models/calibration.h"

#include "base/hash.h"
#include "models/model.h"

#include <math.h>

#define CLASS_MIN_DEFAULT 1000U
#define ALPHA_PPM_DEFAULT 1000U
#define COUNT_MAX         ((uint64_t)1 << 17)

/* A histogram over bins, kept as a Fenwick tree from the top bin down: sums of tails in log time.
 */
struct histogram {
    uint32_t *tree; /* bins + 1; tree[0] unused */
    uint64_t total;
};

struct rv_calibration {
    int64_t *edges;
    size_t bins; /* edges + 1: below the first, between, from the last on */
    uint32_t class_count, class_min, alpha_ppm;
    struct histogram *normal, *held; /* class_count + 1 each; the last is all together */
    uint32_t *memory;                /* of all trees */
};

/* 2^32 * 10^(k/100), rounded up, so that a risk is never rounded up. */
static const uint64_t tenths[100] = {
    4294967296,  4395009937,  4497382869,  4602140374,  4709337994,  4819032567,  4931282256,
    5046146575,  5163686428,  5283964136,  5407043472,  5532989694,  5661869580,  5793751465,
    5928705273,  6066802559,  6208116544,  6352722155,  6500696063,  6652116726,  6807064430,
    6965621329,  7127871493,  7293900948,  7463797727,  7637651910,  7815555677,  7997603355,
    8183891468,  8374518789,  8569586390,  8769197700,  8973458554,  9182477255,  9396364627,
    9615234076,  9839201649,  10068386097, 10302908936, 10542894515, 10788470075, 11039765825,
    11296915005, 11560053959, 11829322207, 12104862518, 12386820987, 12675347113, 12970593875,
    13272717818, 13581879132, 13898241738, 14221973375, 14553245691, 14892234331, 15239119030,
    15594083712, 15957316583, 16329010235, 16709361745, 17098572779, 17496849703, 17904403688,
    18321450824, 18748212237, 19184914200, 19631788258, 20089071351, 20557005935, 21035840115,
    21525827777, 22027228717, 22540308785, 23065340024, 23602600811, 24152376009, 24714957117,
    25290642423, 25879737161, 26482553679, 27099411598, 27730637983, 28376567519, 29037542687,
    29713913945, 30406039913, 31114287566, 31839032426, 32580658763, 33339559796, 34116137905,
    34910804842, 35723981949, 36556100385, 37407601349, 38278936319, 39170567287, 40082967008,
    41016619249, 41972019045,
};

/* ---- Histograms ---- */

static void histogram_add(struct histogram *histogram, size_t bins, size_t bin, int64_t count)
{
    for (size_t i = bins - bin; i <= bins; i += i & (0 - i))
        histogram->tree[i] = (uint32_t)(histogram->tree[i] + count);
    histogram->total = (uint64_t)((int64_t)histogram->total + count);
}

/* How many lie in `bin` or above. */
static uint64_t histogram_tail(const struct histogram *histogram, size_t bins, size_t bin)
{
    uint64_t sum = 0;

    for (size_t i = bins - bin; i > 0; i -= i & (0 - i))
        sum += histogram->tree[i];
    return sum;
}

static uint32_t histogram_at(const struct histogram *histogram, size_t bins, size_t bin)
{
    uint64_t above = bin + 1 < bins ? histogram_tail(histogram, bins, bin + 1) : 0;

    return (uint32_t)(histogram_tail(histogram, bins, bin) - above);
}

/* Every count by half, rounded up: a rare high score is not forgotten before the common ones. */
static void histogram_fade(struct histogram *histogram, size_t bins)
{
    for (size_t bin = 0; bin < bins; bin++)
        histogram_add(histogram, bins, bin, -(int64_t)(histogram_at(histogram, bins, bin) / 2));
}

static size_t bin_of(const struct rv_calibration *calibration, int64_t raw_q16)
{
    size_t low = 0, high = calibration->bins - 1;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (calibration->edges[middle] <= raw_q16)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- Making ---- */

static bool edges_ascend(const struct rv_calibration_options *options)
{
    for (size_t i = 1; i < options->edge_count; i++) {
        if (options->edges_q16[i] <= options->edges_q16[i - 1])
            return false;
    }
    return true;
}

int rv_calibration_new(struct rv_calibration **ret_calibration,
                       const struct rv_calibration_options *options)
{
    RV_AUTO(rv_calibration_free) struct rv_calibration *calibration = NULL;
    size_t trees, stride;

    if (options->edge_count < 1 || options->edge_count > RV_CALIBRATION_EDGES_MAX ||
        options->class_count < 1 || options->class_count > RV_CALIBRATION_CLASS_MAX ||
        options->alpha_ppm > 500000 || !edges_ascend(options))
        return -EINVAL;
    calibration = calloc(1, sizeof(*calibration));
    if (!calibration)
        return -ENOMEM;
    calibration->bins = options->edge_count + 1;
    calibration->class_count = options->class_count;
    calibration->class_min = options->class_min ? options->class_min : CLASS_MIN_DEFAULT;
    calibration->alpha_ppm = options->alpha_ppm ? options->alpha_ppm : ALPHA_PPM_DEFAULT;
    trees = (size_t)options->class_count + 1;
    stride = calibration->bins + 1;
    calibration->edges = malloc(options->edge_count * sizeof(int64_t));
    calibration->normal = calloc(trees, sizeof(struct histogram));
    calibration->held = calloc(trees, sizeof(struct histogram));
    calibration->memory = calloc(2 * trees * stride, sizeof(uint32_t));
    if (!calibration->edges || !calibration->normal || !calibration->held || !calibration->memory)
        return -ENOMEM;
    memcpy(calibration->edges, options->edges_q16, options->edge_count * sizeof(int64_t));
    for (size_t i = 0; i < trees; i++) {
        calibration->normal[i].tree = calibration->memory + 2 * i * stride;
        calibration->held[i].tree = calibration->memory + (2 * i + 1) * stride;
    }
    *ret_calibration = RV_TAKE(calibration);
    return 0;
}

int rv_calibration_new_like(struct rv_calibration **ret_calibration,
                            const struct rv_calibration *like)
{
    struct rv_calibration_options options = {
        .edges_q16 = like->edges,
        .edge_count = like->bins - 1,
        .class_count = like->class_count,
        .class_min = like->class_min,
        .alpha_ppm = like->alpha_ppm,
    };

    return rv_calibration_new(ret_calibration, &options);
}

void rv_calibration_free(struct rv_calibration **calibration)
{
    struct rv_calibration *old = *calibration;

    *calibration = NULL;
    if (!old)
        return;
    free(old->edges);
    free(old->normal);
    free(old->held);
    free(old->memory);
    free(old);
}

static int compare_scores(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

size_t rv_calibration_edges(int64_t *scores_q16, size_t count, int64_t *ret_edges_q16,
                            size_t edge_max)
{
    size_t tail = edge_max / 2, used = 0, rest = count;

    if (count == 0 || edge_max == 0)
        return 0;
    qsort(scores_q16, count, sizeof(*scores_q16), compare_scores);
    /* From the top, each distinct score. */
    while (rest > 0 && used < tail) {
        int64_t score = scores_q16[rest - 1];

        ret_edges_q16[used++] = score;
        while (rest > 0 && scores_q16[rest - 1] == score)
            rest--;
    }
    /* Below, evenly by rank. */
    for (size_t i = edge_max - used; i > 0 && rest > 0; i--) {
        int64_t score = scores_q16[(rest - 1) * i / (edge_max - tail + 1)];

        if (used == 0 || score < ret_edges_q16[used - 1])
            ret_edges_q16[used++] = score;
    }
    for (size_t i = 0; i < used / 2; i++) {
        int64_t swap = ret_edges_q16[i];

        ret_edges_q16[i] = ret_edges_q16[used - 1 - i];
        ret_edges_q16[used - 1 - i] = swap;
    }
    return used;
}

/* ---- Learning ---- */

static void add(struct rv_calibration *calibration, struct histogram *histogram, size_t bin,
                uint32_t weight)
{
    histogram_add(histogram, calibration->bins, bin, weight);
    while (histogram->total >= COUNT_MAX + calibration->bins)
        histogram_fade(histogram, calibration->bins);
}

void rv_calibration_add(struct rv_calibration *calibration, uint32_t class, int64_t raw_q16,
                        uint32_t weight)
{
    size_t bin = bin_of(calibration, raw_q16);
    uint32_t capped = (uint32_t)rv_min_u64(weight, COUNT_MAX);

    assert(class < calibration->class_count);
    add(calibration, &calibration->normal[class], bin, capped);
    add(calibration, &calibration->normal[calibration->class_count], bin, capped);
}

void rv_calibration_prior(struct rv_calibration *calibration, int64_t raw_q16, uint32_t weight)
{
    add(calibration, &calibration->normal[calibration->class_count], bin_of(calibration, raw_q16),
        (uint32_t)rv_min_u64(weight, COUNT_MAX));
}

void rv_calibration_hold(struct rv_calibration *calibration, uint32_t class, int64_t raw_q16)
{
    size_t bin = bin_of(calibration, raw_q16);

    assert(class < calibration->class_count);
    add(calibration, &calibration->held[class], bin, 1);
    add(calibration, &calibration->held[calibration->class_count], bin, 1);
}

static void let_go(struct rv_calibration *calibration, struct histogram *histogram, size_t bin)
{
    if (histogram_at(histogram, calibration->bins, bin) > 0)
        histogram_add(histogram, calibration->bins, bin, -1);
}

void rv_calibration_adjudicate(struct rv_calibration *calibration, uint32_t class, int64_t raw_q16,
                               enum rv_judgement judgement)
{
    size_t bin = bin_of(calibration, raw_q16);

    assert(class < calibration->class_count);
    let_go(calibration, &calibration->held[class], bin);
    let_go(calibration, &calibration->held[calibration->class_count], bin);
    if (judgement == RV_JUDGED_NORMAL)
        rv_calibration_add(calibration, class, raw_q16, 1);
}

void rv_calibration_forget(struct rv_calibration *calibration, uint32_t class, int64_t raw_q16)
{
    size_t bin = bin_of(calibration, raw_q16);

    assert(class < calibration->class_count);
    let_go(calibration, &calibration->normal[class], bin);
    let_go(calibration, &calibration->normal[calibration->class_count], bin);
}

/* ---- Asking ---- */

uint64_t rv_calibration_false_alarms_expected(const struct rv_calibration *calibration)
{
    return (uint64_t)calibration->normal[calibration->class_count].total * calibration->alpha_ppm /
           1000000;
}

static size_t tree_of(const struct rv_calibration *calibration, uint32_t class)
{
    if (class >= calibration->class_count ||
        calibration->normal[class].total < calibration->class_min)
        return calibration->class_count;
    return class;
}

static struct rv_p_value p_of_tree(const struct rv_calibration *calibration, size_t tree,
                                   size_t bin)
{
    uint64_t n = calibration->normal[tree].total;
    uint64_t above = histogram_tail(&calibration->normal[tree], calibration->bins, bin);
    uint64_t held = histogram_tail(&calibration->held[tree], calibration->bins, bin);
    uint64_t counted = rv_min_u64(held, n * calibration->alpha_ppm / 2000000);

    return (struct rv_p_value){
        .above = 1 + above + counted,
        .of = n + 1 + counted,
        .inherited = tree == calibration->class_count,
    };
}

struct rv_p_value rv_calibration_p(const struct rv_calibration *calibration, uint32_t class,
                                   int64_t raw_q16)
{
    size_t tree = tree_of(calibration, class), bin = bin_of(calibration, raw_q16);
    struct rv_p_value all = p_of_tree(calibration, calibration->class_count, bin);
    struct rv_p_value own = p_of_tree(calibration, tree, bin);

    /* A class that always scores nothing must not make a small score an alarm. */
    return (unsigned __int128)own.above * all.of < (unsigned __int128)all.above * own.of ? all
                                                                                         : own;
}

uint64_t rv_calibration_p_q32(const struct rv_calibration *calibration, uint32_t class,
                              int64_t raw_q16, uint64_t random)
{
    size_t tree = tree_of(calibration, class), bin = bin_of(calibration, raw_q16);
    const struct histogram *normal = &calibration->normal[tree];
    uint64_t equal = histogram_at(normal, calibration->bins, bin);
    uint64_t above = histogram_tail(normal, calibration->bins, bin) - equal;
    uint64_t tie = (random & UINT32_MAX) + 1;

    return rv_min_u64(((above << 32) + tie * (equal + 1)) / (normal->total + 1) + 1,
                      (uint64_t)1 << 32);
}

uint32_t rv_risk_of_p(struct rv_p_value p)
{
    unsigned __int128 of = (unsigned __int128)p.of << 32;
    uint64_t above = rv_max_u64(p.above, 1);
    uint32_t tens = 0, rest = 99;

    while (tens < 10 && (unsigned __int128)above * 10 <= p.of) {
        above *= 10;
        tens++;
    }
    while (rest > 0 && (unsigned __int128)above * tenths[rest] > of)
        rest--;
    return (uint32_t)rv_min_u64(tens * 100 + rest, RV_RISK_MAX);
}

uint32_t rv_calibration_risk(const struct rv_calibration *calibration, uint32_t class,
                             int64_t raw_q16)
{
    return rv_risk_of_p(rv_calibration_p(calibration, class, raw_q16));
}

uint64_t rv_calibration_count(const struct rv_calibration *calibration, uint32_t class)
{
    return calibration->normal[rv_min_u64(class, calibration->class_count)].total;
}

uint32_t rv_calibration_classes(const struct rv_calibration *calibration)
{
    return calibration->class_count;
}

/* ---- Promises ---- */

/*
 * The rate of false alarms at or above the k-th highest of n scores is distributed as Beta(k, n - k
 * + 1), so it exceeds alpha with the probability that a binomial(n, alpha) is below k.
 */
uint64_t rv_pac_rank(uint64_t n, double alpha, double delta)
{
    double log_term, tail = 0.0;
    uint64_t k = 0;

    if (n == 0 || !(alpha > 0.0 && alpha < 1.0) || !(delta > 0.0 && delta < 1.0))
        return 0;
    log_term = (double)n * log1p(-alpha); /* of P(binomial == 0) */
    while (k < n) {
        tail += exp(log_term);
        if (tail > delta)
            break;
        k++;
        log_term += log((double)(n - k + 1) / (double)k) + log(alpha) - log1p(-alpha);
    }
    return k;
}

static int64_t threshold_of_tree(const struct rv_calibration *calibration, size_t tree,
                                 double alpha, double delta)
{
    const struct histogram *normal = &calibration->normal[tree];
    uint64_t rank = rv_pac_rank(normal->total, alpha, delta);

    if (rank == 0)
        return INT64_MAX;
    /* The lowest edge with fewer than `rank` scores at or above it. */
    for (size_t bin = 1; bin < calibration->bins; bin++) {
        if (histogram_tail(normal, calibration->bins, bin) < rank)
            return calibration->edges[bin - 1];
    }
    return INT64_MAX;
}

int64_t rv_calibration_threshold_q16(const struct rv_calibration *calibration, uint32_t class,
                                     double alpha, double delta)
{
    int64_t own = threshold_of_tree(calibration, tree_of(calibration, class), alpha, delta);
    int64_t all = threshold_of_tree(calibration, calibration->class_count, alpha, delta);

    return own > all ? own : all;
}

/* ---- Bytes ---- */

#define MAGIC      "REEVECAL"
#define FORMAT     1U
#define HEAD_BYTES 28U

static size_t saved_size(size_t edge_count, size_t class_count)
{
    return HEAD_BYTES + edge_count * 8 + 2 * (class_count + 1) * (edge_count + 1) * 4 + 4;
}

static void save_histogram(struct rv_buf *buf, const struct histogram *histogram, size_t bins)
{
    for (size_t bin = 0; bin < bins; bin++)
        rv_buf_add_le32(buf, histogram_at(histogram, bins, bin));
}

void rv_calibration_save(const struct rv_calibration *calibration, struct rv_buf *buf)
{
    size_t start = buf->len;

    rv_buf_add(buf, MAGIC, 8);
    rv_buf_add_le32(buf, FORMAT);
    rv_buf_add_le32(buf, (uint32_t)calibration->bins - 1);
    rv_buf_add_le32(buf, calibration->class_count);
    rv_buf_add_le32(buf, calibration->class_min);
    rv_buf_add_le32(buf, calibration->alpha_ppm);
    for (size_t i = 0; i + 1 < calibration->bins; i++)
        rv_buf_add_le64(buf, (uint64_t)calibration->edges[i]);
    for (size_t i = 0; i <= calibration->class_count; i++) {
        save_histogram(buf, &calibration->normal[i], calibration->bins);
        save_histogram(buf, &calibration->held[i], calibration->bins);
    }
    if (!buf->failed)
        rv_buf_add_le32(buf, rv_crc32c(0, buf->data + start, buf->len - start));
}

static int refuse(const char **reterr, const char *why, int code)
{
    if (reterr)
        *reterr = why;
    return code;
}

static int load_histogram(struct rv_reader *reader, struct histogram *histogram, size_t bins)
{
    for (size_t bin = 0; bin < bins; bin++) {
        uint32_t count = rv_read_le32(reader);

        if (count > 2 * COUNT_MAX + RV_CALIBRATION_EDGES_MAX)
            return -EBADMSG;
        histogram_add(histogram, bins, bin, count);
    }
    return histogram->total > 2 * COUNT_MAX + RV_CALIBRATION_EDGES_MAX ? -EBADMSG : 0;
}

static int load_tables(struct rv_calibration *calibration, struct rv_reader *reader)
{
    for (size_t i = 0; i <= calibration->class_count; i++) {
        int r = load_histogram(reader, &calibration->normal[i], calibration->bins);

        if (r < 0)
            return r;
        r = load_histogram(reader, &calibration->held[i], calibration->bins);
        if (r < 0)
            return r;
    }
    return 0;
}

int rv_calibration_load(struct rv_calibration **ret_calibration, struct rv_span bytes,
                        const char **reterr)
{
    RV_AUTO(rv_calibration_free) struct rv_calibration *calibration = NULL;
    struct rv_reader reader = rv_reader(bytes);
    struct rv_span magic = rv_read_bytes(&reader, 8);
    uint32_t format = rv_read_le32(&reader);
    RV_AUTO(rv_freep) int64_t *edges = NULL;
    struct rv_calibration_options options = { 0 };
    struct rv_reader end;
    int r;

    options.edge_count = rv_read_le32(&reader);
    options.class_count = rv_read_le32(&reader);
    options.class_min = rv_read_le32(&reader);
    options.alpha_ppm = rv_read_le32(&reader);
    if (reader.failed || !rv_span_eq(magic, rv_span_str(MAGIC)))
        return refuse(reterr, "not a calibration", -EBADMSG);
    if (format != FORMAT)
        return refuse(reterr, "the calibration is of another version", -EPROTONOSUPPORT);
    if (options.edge_count > RV_CALIBRATION_EDGES_MAX ||
        options.class_count > RV_CALIBRATION_CLASS_MAX ||
        bytes.len != saved_size(options.edge_count, options.class_count))
        return refuse(reterr, "the calibration is shorter or longer than it says", -EBADMSG);
    end = rv_reader(rv_span(bytes.data + bytes.len - 4, 4));
    if (rv_read_le32(&end) != rv_crc32c(0, bytes.data, bytes.len - 4))
        return refuse(reterr, "the calibration is damaged: its checksum is wrong", -EBADMSG);
    edges = malloc((options.edge_count + 1) * sizeof(*edges));
    if (!edges)
        return -ENOMEM;
    for (size_t i = 0; i < options.edge_count; i++)
        edges[i] = (int64_t)rv_read_le64(&reader);
    options.edges_q16 = edges;
    r = rv_calibration_new(&calibration, &options);
    if (r == -EINVAL)
        return refuse(reterr, "the calibration's edges or classes make no sense", -EBADMSG);
    if (r < 0)
        return r;
    r = load_tables(calibration, &reader);
    if (r < 0)
        return refuse(reterr, "the calibration's counts make no sense", r);
    *ret_calibration = RV_TAKE(calibration);
    return 0;
}
