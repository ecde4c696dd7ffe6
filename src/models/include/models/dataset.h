/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/dataset.h  Data sets as people have them: sequences, series and lines from files.
 * Files may be gzip or plain; what is inside is told by its own bytes, never by its name:
 *   sequences  tab-separated with a header (id, label, class, recording, calls), or a recorded
 *              event stream (event/segment.h)
 *   series     CSV by `,` or `;` with a header; or a tar of such files
 *   lines      one command a line; or JSON lines with a member "cmd"
 * Everything is untrusted: sizes are bounded, and an error names the line. Not thread-safe.
 */
#pragma once

#include "base/bytes.h"

#define RV_DATASET_BYTES_MAX  ((size_t)1 << 30) /* after decompression, one file */
#define RV_DATASET_SYMBOL_MAX 65535U            /* largest system-call or event number */
#define RV_DATASET_COLUMN_MAX ((size_t)1024)    /* columns of a series */
#define RV_DATASET_LINE_MAX   ((size_t)1 << 21) /* bytes of a command line: what exec() takes */

enum rv_label { RV_LABEL_UNKNOWN = 0, RV_LABEL_NORMAL, RV_LABEL_ATTACK };

/** Where and why a file was refused: one sentence, for people. */
struct rv_dataset_error {
    size_t line; /* from 1; 0: the file as a whole */
    char message[200];
};

/** One trace: the calls of one process or thread, in order. */
struct rv_sequence {
    char *id;        /* never NULL */
    char *program;   /* class of program or of attack; "" when not given */
    char *recording; /* what must not be split over training and test; "" when not given */
    enum rv_label label;
    size_t count;
    uint16_t *calls;
};

/** All-zero is a valid empty set. */
struct rv_sequences {
    struct rv_sequence *items;
    size_t count, room;
};

/** A table of sensor readings in time order. */
struct rv_series {
    char *name;           /* of the file or of the member of the tar */
    size_t rows, columns; /* of `value`: time and label columns are not counted */
    char **column;        /* names */
    char **row_id;        /* time stamp, or the row number from 0 */
    double *value;        /* rows * columns, row by row; NaN where the cell is empty */
    enum rv_label *label; /* one a row; RV_LABEL_UNKNOWN when the file has no label column */
    bool labelled;
};

struct rv_series_set {
    struct rv_series *items;
    size_t count, room;
};

/** One command line. */
struct rv_line {
    char *id; /* number of the line from 1, or "session:number" */
    char *text;
    enum rv_label label;
};

struct rv_lines {
    struct rv_line *items;
    size_t count, room;
};

void rv_sequences_done(struct rv_sequences *set);
void rv_series_done(struct rv_series *series);
void rv_series_set_done(struct rv_series_set *set);
void rv_lines_done(struct rv_lines *set);

/**
 * Append what a file holds.
 * @return 0; -EBADMSG with `reterr` filled; -EFBIG; another -errno of the file system. What was
 *         read before an error stays in the set.
 */
RV_MUST_CHECK int rv_sequences_read(struct rv_sequences *set, int dir_fd, const char *path,
                                    struct rv_dataset_error *reterr);
RV_MUST_CHECK int rv_series_read(struct rv_series_set *set, int dir_fd, const char *path,
                                 struct rv_dataset_error *reterr);
RV_MUST_CHECK int rv_lines_read(struct rv_lines *set, int dir_fd, const char *path,
                                struct rv_dataset_error *reterr);

/** The same from bytes in memory, already decompressed (fuzzing, tests). `name`: for series. */
RV_MUST_CHECK int rv_sequences_parse(struct rv_sequences *set, struct rv_span bytes,
                                     struct rv_dataset_error *reterr);
RV_MUST_CHECK int rv_series_parse(struct rv_series_set *set, const char *name, struct rv_span bytes,
                                  struct rv_dataset_error *reterr);
RV_MUST_CHECK int rv_lines_parse(struct rv_lines *set, struct rv_span bytes,
                                 struct rv_dataset_error *reterr);

/** Append a copy of one sequence or line. @return 0 or -ENOMEM. */
RV_MUST_CHECK int rv_sequences_add(struct rv_sequences *set, const struct rv_sequence *item);
RV_MUST_CHECK int rv_lines_add(struct rv_lines *set, const struct rv_line *item);

/**
 * Drop every item that equals an earlier one of the set (same calls, same text), whatever its
 * label, and every one that equals an item of `known` (may be NULL).
 * @param ret_dropped how many went; may be NULL.
 * @return 0; -ENOMEM, then nothing was dropped.
 */
RV_MUST_CHECK int rv_sequences_dedup(struct rv_sequences *set, const struct rv_sequences *known,
                                     size_t *ret_dropped);
RV_MUST_CHECK int rv_lines_dedup(struct rv_lines *set, const struct rv_lines *known,
                                 size_t *ret_dropped);

/** Inflate gzip bytes, all members. @return 0; -EBADMSG; -EFBIG past `len_max`; -ENOMEM. */
RV_MUST_CHECK int rv_gunzip(struct rv_buf *into, struct rv_span bytes, size_t len_max);
