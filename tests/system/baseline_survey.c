/* SPDX-License-Identifier: Apache-2.0 */
/*
 * baseline_survey: what the built-in model says of recordings. For developers, and for the shipped
 * prior of its calibration (src/models/baseline/prior.c is made from its -p output).
 *   baseline_survey [-p] [-n TOP] FILE...
 * Prints how many verdicts score at least so many quarters of a point, then the TOP processes with
 * their reasons.
 */
#include "event/segment.h"
#include "features/features.h"
#include "features/table.h"
#include "models/baseline.h"
#include "models/calibration.h"
#include "models/words.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define QUARTERS 160
#define TOPS     100

struct top {
    int64_t raw_q16;
    struct rv_process_key key;
    char text[600];
};

struct survey {
    struct rv_features *features;
    struct rv_model *model;
    struct rv_calibration *calibration;
    uint64_t at_least[QUARTERS + 1];
    uint64_t verdicts, events;
    struct top tops[TOPS];
    size_t top_max;
};

static void describe(struct survey *survey, const struct rv_process *process,
                     const struct rv_vector *vector, struct top *top)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    struct rv_verdict verdict;
    struct rv_vector usual;
    struct rv_words_input input = { process, vector, &usual, verdict.attribution_q16 };

    rv_features_usual(survey->features, process, &usual);
    rv_model_judge(survey->model, vector, RV_EXPLAIN, &verdict);
    top->raw_q16 = verdict.raw_q16;
    top->key = process->key;
    rv_buf_addf(
        &buf, "%6.2f  risk %3u  ", (double)verdict.raw_q16 / 65536,
        rv_calibration_risk(survey->calibration, rv_process_class(process), verdict.raw_q16));
    rv_words_untrusted(&buf, rv_span_str(process->program->path), 60);
    rv_buf_addf(&buf, " [%u] <- %s: ", process->key.tgid,
                process->parent ? process->parent->program->path : "?");
    rv_words_reasons(&buf, &input, 5);
    snprintf(top->text, sizeof(top->text), "%s", buf.data);
}

/* One entry a process, the highest; the list ordered. */
static void note_top(struct survey *survey, const struct rv_process *process,
                     const struct rv_vector *vector, int64_t raw_q16)
{
    size_t at = survey->top_max - 1;

    for (size_t i = 0; i < survey->top_max; i++) {
        if (survey->tops[i].key.tgid == process->key.tgid &&
            survey->tops[i].key.start_boot_ns == process->key.start_boot_ns) {
            at = i;
            break;
        }
    }
    if (survey->tops[at].raw_q16 >= raw_q16)
        return;
    describe(survey, process, vector, &survey->tops[at]);
    for (; at > 0 && survey->tops[at].raw_q16 > survey->tops[at - 1].raw_q16; at--) {
        struct top swap = survey->tops[at];

        survey->tops[at] = survey->tops[at - 1];
        survey->tops[at - 1] = swap;
    }
}

static void take(struct survey *survey, const struct rv_event *event)
{
    struct rv_features_change change;
    struct rv_vector vector;
    int64_t raw_q16;

    survey->events++;
    rv_features_update(survey->features, event, &change);
    if (!change.process || change.due != RV_SCORE_DUE)
        return;
    rv_features_vector(survey->features, change.process, &vector);
    raw_q16 = rv_model_score_q16(survey->model, &vector);
    survey->verdicts++;
    for (int64_t i = 0; i <= QUARTERS && i * 16384 <= raw_q16; i++)
        survey->at_least[i]++;
    note_top(survey, change.process, &vector, raw_q16);
}

static int read_file(struct survey *survey, const char *path)
{
    struct rv_segment_reader *reader = NULL;
    struct rv_segment_head head;
    enum rv_segment_end end;
    const struct rv_event *event = NULL;
    int r = rv_segment_open(&reader, AT_FDCWD, path, &head);

    if (r < 0)
        return r;
    rv_features_free(&survey->features);
    r = rv_features_new(&survey->features, &(struct rv_features_options){
                                               .unix_offset_ns = (int64_t)head.unix_offset_ns });
    while (r == 0) {
        r = rv_segment_next(reader, &event, &end);
        if (r < 0 || !event)
            break;
        take(survey, event);
    }
    rv_segment_reader_free(&reader);
    return r;
}

static void print(const struct survey *survey, bool prior)
{
    printf("%llu events, %llu verdicts\n", (unsigned long long)survey->events,
           (unsigned long long)survey->verdicts);
    for (int i = 0; i <= QUARTERS && (i == 0 || survey->at_least[i] > 0); i++) {
        if (prior)
            printf("{ %d, %llu }, ", i, (unsigned long long)survey->at_least[i]);
        else if (i % 4 == 0)
            printf("  >= %2d: %8llu  %.6f\n", i / 4, (unsigned long long)survey->at_least[i],
                   (double)survey->at_least[i] / (double)(survey->verdicts ? survey->verdicts : 1));
    }
    printf("\n");
    for (size_t i = 0; i < survey->top_max && survey->tops[i].raw_q16 > 0; i++)
        printf("%s\n", survey->tops[i].text);
}

int main(int argc, char **argv)
{
    struct survey *survey = calloc(1, sizeof(*survey));
    bool prior = false;
    int option, r = 0;

    if (!survey)
        return 2;
    survey->top_max = 20;
    while ((option = getopt(argc, argv, "pn:")) >= 0) {
        if (option == 'p')
            prior = true;
        else if (option == 'n')
            survey->top_max = rv_min_u64(strtoul(optarg, NULL, 10) + 1, TOPS);
        else
            return 2;
    }
    if (rv_baseline_new(&survey->model) < 0 ||
        rv_calibration_new_baseline(&survey->calibration) < 0)
        return 2;
    for (; optind < argc && r == 0; optind++) {
        r = read_file(survey, argv[optind]);
        if (r < 0)
            fprintf(stderr, "baseline_survey: %s: %s\n", argv[optind], strerror(-r));
    }
    print(survey, prior);
    rv_features_free(&survey->features);
    rv_model_free(&survey->model);
    rv_calibration_free(&survey->calibration);
    free(survey);
    return r < 0 ? 1 : 0;
}
