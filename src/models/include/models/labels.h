/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/labels.h  What people judged, as training rows: JSON lines that `reeve decisions
 * labels` writes from a log. One line:
 *
 *     {"class":1,"entry":7,"feature_table":HEX,"host":"web1/reeve","label":"benign","uid":0,
 *      "vector":[96 integers]}
 *
 * Other members are ignored. Everything is untrusted: sizes are bounded, and an error names the
 * line. A later line about the same entry of the same host takes the place of an earlier one:
 * people may change their minds. Not thread-safe.
 */
#pragma once

#include "features/vector.h"
#include "models/calibration.h"
#include "models/dataset.h"

#define RV_LABELS_MAX     ((size_t)65536)
#define RV_LABEL_HOST_MAX ((size_t)200)

struct rv_labelled {
    struct rv_vector vector;
    uint32_t class;  /* kind of program, below RV_KIND_COUNT_ */
    uint32_t source; /* number of the host and user that gave it: an index, from 0 */
    uint64_t entry;  /* of the host's log */
    uint32_t host;   /* number of the host, from 0 */
    enum rv_judgement judgement;
};

/** All-zero is a valid empty set. */
struct rv_labels {
    struct rv_labelled *items;
    size_t count, room;
    char **hosts; /* names, by number */
    size_t host_count, host_room;
    char **sources; /* "uid 1000 of web1/reeve", by number */
    size_t source_count, source_room;
};

void rv_labels_done(struct rv_labels *labels);

/**
 * Append what a text holds.
 * @return 0; -EBADMSG with `reterr` filled: also for vectors of another feature table; -EFBIG;
 *         -ENOMEM. What was read before an error stays.
 */
RV_MUST_CHECK int rv_labels_parse(struct rv_labels *labels, struct rv_span bytes,
                                  struct rv_dataset_error *reterr);
RV_MUST_CHECK int rv_labels_read(struct rv_labels *labels, int dir_fd, const char *path,
                                 struct rv_dataset_error *reterr);
