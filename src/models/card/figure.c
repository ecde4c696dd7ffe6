/* SPDX-License-Identifier: Apache-2.0 */
#include "figure.h"

#include "models/drift.h"

#include <inttypes.h>
#include <math.h>

enum {
    WIDTH = 640,
    HEIGHT = 300,
    LEFT = 56,
    RIGHT = 620,
    TOP = 16,
    BOTTOM = 250,
    BAR_HEIGHT = 22,
    BAR_LEFT = 130,
    POINTS_MAX = 256,
    FAMILIES_MAX = 64,
};

#define RATE_MIN_MILLI 1000LL /* 1 in 100,000 verdicts: the left edge, and whatever is less */
#define RATE_DECADES   5      /* up to every verdict */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

void figure_text(struct rv_buf *buf, const char *text)
{
    for (const char *c = text; *c; c++) {
        switch (*c) {
        case '<':
            rv_buf_add_str(buf, "&lt;");
            break;
        case '>':
            rv_buf_add_str(buf, "&gt;");
            break;
        case '&':
            rv_buf_add_str(buf, "&amp;");
            break;
        case '"':
            rv_buf_add_str(buf, "&quot;");
            break;
        default:
            rv_buf_add_char(buf, (unsigned char)*c < ' ' ? ' ' : *c);
        }
    }
}

/* ---- Frames ---- */

static void open_figure(struct rv_buf *buf, const char *title, int height)
{
    rv_buf_addf(buf, "<figure><figcaption>%s</figcaption>\n", title);
    rv_buf_addf(buf,
                "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" "
                "aria-label=\"%s\">\n",
                WIDTH, height, WIDTH, height, title);
}

static void close_figure(struct rv_buf *buf)
{
    rv_buf_add_str(buf, "</svg></figure>\n");
}

static void add_label(struct rv_buf *buf, int x, int y, const char *anchor, const char *text)
{
    rv_buf_addf(buf, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">", x, y, anchor);
    figure_text(buf, text);
    rv_buf_add_str(buf, "</text>\n");
}

static void add_line(struct rv_buf *buf, const char *class, int x1, int y1, int x2, int y2)
{
    rv_buf_addf(buf, "<line class=\"%s\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n", class, x1,
                y1, x2, y2);
}

/** Percent from 0 to 100 on the left, with lines across. */
static void add_percents(struct rv_buf *buf)
{
    for (int percent = 0; percent <= 100; percent += 25) {
        int y = BOTTOM - (BOTTOM - TOP) * percent / 100;
        char text[16];

        (void)snprintf(text, sizeof(text), "%d %%", percent);
        add_line(buf, "grid", LEFT, y, RIGHT, y);
        add_label(buf, LEFT - 6, y + 4, "end", text);
    }
}

static int clamp(int64_t value, int low, int high)
{
    return value < low ? low : value > high ? high : (int)value;
}

/* ---- Detection against alarms ---- */

/** Thousandths of alarms a day on a logarithmic scale. */
static int x_of_rate(int64_t milli)
{
    double decades = milli > RATE_MIN_MILLI ? log10((double)milli / (double)RATE_MIN_MILLI) : 0;

    return clamp(LEFT + (int64_t)(decades * (RIGHT - LEFT) / RATE_DECADES), LEFT, RIGHT);
}

static int y_of_ppm(int64_t ppm)
{
    return BOTTOM - clamp(ppm, 0, 1000000) / 1000 * (BOTTOM - TOP) / 1000;
}

static void add_rates(struct rv_buf *buf)
{
    static const char *const names[] = { "1", "10", "100", "1,000", "10,000", "100,000" };

    for (int i = 0; i <= RATE_DECADES; i++) {
        int x = LEFT + (RIGHT - LEFT) * i / RATE_DECADES;

        add_line(buf, "grid", x, TOP, x, BOTTOM);
        add_label(buf, x, BOTTOM + 16, i < RATE_DECADES ? "middle" : "end", names[i]);
    }
    add_label(buf, (LEFT + RIGHT) / 2, BOTTOM + 34, "middle",
              "processes wrongly alarmed in 100,000 verdicts (at 1: one or none)");
}

/** The points of one view as a line, each with a mark that says its risk. */
static void add_view(struct rv_buf *buf, const json_t *points, const char *view, unsigned index)
{
    const json_t *point;
    size_t i;

    rv_buf_addf(buf, "<polyline class=\"line v%u\" points=\"", index);
    json_array_foreach(points, i, point)
    {
        if (i < POINTS_MAX && rv_streq(text_of(point, "view"), view))
            rv_buf_addf(buf, "%d,%d ", x_of_rate(number_of(point, "alarms_per_host_day_milli")),
                        y_of_ppm(number_of(point, "detection_ppm")));
    }
    rv_buf_add_str(buf, "\"/>\n");
    json_array_foreach(points, i, point)
    {
        int64_t risk = number_of(point, "risk");

        if (i >= POINTS_MAX || !rv_streq(text_of(point, "view"), view))
            continue;
        rv_buf_addf(buf, "<circle class=\"dot v%u\" cx=\"%d\" cy=\"%d\" r=\"%d\"><title>", index,
                    x_of_rate(number_of(point, "alarms_per_host_day_milli")),
                    y_of_ppm(number_of(point, "detection_ppm")),
                    risk == 300 || risk == 400 ? 5 : 2);
        figure_text(buf, view);
        rv_buf_addf(buf, ", risk %" PRId64 "</title></circle>\n", risk);
    }
    rv_buf_addf(buf, "<rect class=\"dot v%u\" x=\"%d\" y=\"%d\" width=\"10\" height=\"10\"/>\n",
                index, RIGHT - 190, BOTTOM - 66 + (int)index * 18);
    add_label(buf, RIGHT - 174, BOTTOM - 57 + (int)index * 18, "start", view);
}

void figure_operating(const json_t *manifest, struct rv_buf *buf)
{
    const json_t *points = json_object_get(manifest, "operating"), *point;
    const char *views[3];
    unsigned count = 0;
    size_t i;

    if (json_array_size(points) == 0)
        return;
    open_figure(buf, "Attacks found against false alarms, by the risk that alarms", HEIGHT);
    add_percents(buf);
    add_rates(buf);
    json_array_foreach(points, i, point)
    {
        const char *view = text_of(point, "view");
        bool known = false;

        for (unsigned j = 0; j < count; j++)
            known |= rv_streq(views[j], view);
        if (known || i >= POINTS_MAX || count == RV_COUNT(views))
            continue;
        views[count] = view;
        add_view(buf, points, view, count++);
    }
    close_figure(buf);
}

/* ---- Families ---- */

/** Wilson's interval, as everywhere (cmd/model/figures.h). */
static void interval(int64_t found, int64_t all, double *ret_low, double *ret_high)
{
    double z = 1.96, n = (double)all, p = (double)found / n;
    double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);

    *ret_low = fmax(0, middle - half);
    *ret_high = fmin(1, middle + half);
}

static int x_of_share(double share)
{
    return BAR_LEFT + (int)(share * (RIGHT - 40 - BAR_LEFT));
}

static void add_bar(struct rv_buf *buf, int y, const char *name, int64_t found, int64_t all)
{
    double low, high;
    char text[48];

    interval(found, all, &low, &high);
    add_label(buf, BAR_LEFT - 8, y + 14, "end", name);
    rv_buf_addf(buf, "<rect class=\"dot v1\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"12\"/>\n",
                BAR_LEFT, y + 4, x_of_share((double)found / (double)all) - BAR_LEFT);
    add_line(buf, "whisker", x_of_share(low), y + 10, x_of_share(high), y + 10);
    (void)snprintf(text, sizeof(text), "%" PRId64 "/%" PRId64, found, all);
    add_label(buf, RIGHT, y + 14, "end", text);
}

void figure_families(const json_t *manifest, struct rv_buf *buf)
{
    json_t *families = json_object_get(manifest, "families");
    int count = (int)json_object_size(families), y = TOP;
    const json_t *family;
    const char *name;

    if (count == 0)
        return;
    count = count < FAMILIES_MAX ? count : FAMILIES_MAX;
    open_figure(buf, "Attacks found at risk 300, by family, with 95 % interval",
                TOP + count * BAR_HEIGHT + 8);
    json_object_foreach(families, name, family)
    {
        int64_t all = number_of(family, "streams"), found = number_of(family, "found");

        if (all <= 0 || found < 0 || found > all)
            continue;
        if (count-- == 0)
            break;
        add_bar(buf, y, name, found, all);
        y += BAR_HEIGHT;
    }
    close_figure(buf);
}

/* ---- Scores ---- */

static bool read_counts(const json_t *array, uint32_t counts[RV_DRIFT_BINS])
{
    if (json_array_size(array) != RV_DRIFT_BINS)
        return false;
    for (size_t i = 0; i < RV_DRIFT_BINS; i++) {
        json_int_t count = json_integer_value(json_array_get(array, i));

        if (count < 0 || count > UINT32_MAX)
            return false;
        counts[i] = (uint32_t)count;
    }
    return true;
}

/** A share of all on each bin; the root, so that a tail is seen. */
static void add_histogram(struct rv_buf *buf, const uint32_t counts[RV_DRIFT_BINS], unsigned index,
                          const char *name)
{
    double total = 0;
    int x = LEFT;

    for (size_t i = 0; i < RV_DRIFT_BINS; i++)
        total += counts[i];
    if (total <= 0)
        return;
    rv_buf_addf(buf, "<polyline class=\"line v%u\" points=\"", index);
    for (int i = 0; i < RV_DRIFT_BINS; i++) {
        int y = BOTTOM - (int)(sqrt(counts[i] / total) * (BOTTOM - TOP));
        int next = LEFT + (RIGHT - LEFT) * (i + 1) / RV_DRIFT_BINS;

        rv_buf_addf(buf, "%d,%d %d,%d ", x, y, next, y);
        x = next;
    }
    rv_buf_add_str(buf, "\"/>\n");
    rv_buf_addf(buf, "<rect class=\"dot v%u\" x=\"%d\" y=\"%d\" width=\"10\" height=\"10\"/>\n",
                index, RIGHT - 220, TOP + 4 + (int)index * 18);
    add_label(buf, RIGHT - 204, TOP + 13 + (int)index * 18, "start", name);
}

void figure_scores(const struct rv_package *package, struct rv_buf *buf)
{
    const json_t *measured = json_object_get(rv_package_manifest(package), "score_histogram");
    RV_AUTO(rv_freep) struct rv_profile *profile = calloc(1, sizeof(*profile));
    struct rv_span section = rv_package_section(package, "profile");
    uint32_t normal[RV_DRIFT_BINS], attack[RV_DRIFT_BINS];
    bool trained = profile && section.data && rv_profile_load(profile, section, NULL) == 0;
    bool later = read_counts(json_object_get(measured, "normal"), normal);
    char text[96];

    if (!trained && !later)
        return;
    open_figure(buf, "Scores: share of vectors (its root) in bins of half octaves around 0",
                HEIGHT);
    add_line(buf, "grid", LEFT, BOTTOM, RIGHT, BOTTOM);
    add_line(buf, "grid", (LEFT + RIGHT) / 2, TOP, (LEFT + RIGHT) / 2, BOTTOM);
    add_label(buf, LEFT, BOTTOM + 16, "start", "ordinary");
    add_label(buf, (LEFT + RIGHT) / 2, BOTTOM + 16, "middle", "0");
    add_label(buf, RIGHT, BOTTOM + 16, "end", "strange");
    if (trained)
        add_histogram(buf, profile->count[RV_DRIFT_SCORE], 0,
                      "normal, in training (out of sample)");
    if (later)
        add_histogram(buf, normal, 1, "normal, where it was measured");
    if (read_counts(json_object_get(measured, "attack"), attack))
        add_histogram(buf, attack, 2, "attacks, where it was measured");
    if (trained && later) {
        struct rv_distance moved = rv_distance(profile->count[RV_DRIFT_SCORE], normal);

        (void)snprintf(text, sizeof(text), "normal scores moved by PSI %.3f, KS %.3f", moved.psi,
                       moved.ks);
        add_label(buf, (LEFT + RIGHT) / 2, BOTTOM + 36, "middle", text);
    }
    close_figure(buf);
}
