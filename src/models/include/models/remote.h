/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/remote.h  A model behind the Open Inference Protocol, version 2, over HTTP (Triton,
 * MLServer, KServe, BentoML): one row out, one number back, before a deadline, or the local model.
 *
 * A circuit breaker stands before it: after `failures_max` failures in a row nothing is sent for
 * `open_ms`, then one trial decides. So a dead server costs one deadline, not one a verdict.
 * Plain HTTP: to be spoken on loopback or through a local TLS proxy. One thread a client.
 */
#pragma once

#include "base/clock.h"
#include "models/forest.h"

/* ---- The breaker, by itself: no clock, no I/O ---- */

enum rv_breaker_state { RV_BREAKER_OPEN = 0, RV_BREAKER_TRIAL, RV_BREAKER_CLOSED };

struct rv_breaker {
    enum rv_breaker_state state;
    uint32_t failures, failures_max;
    uint64_t open_ns, retry_ns; /* how long it stays open; when the next trial may be */
};

struct rv_breaker rv_breaker(uint32_t failures_max, uint32_t open_ms);
/** Whether a request may go out now. Open: only as the one trial after `open_ms`. */
bool rv_breaker_allows(struct rv_breaker *breaker, uint64_t now_ns);
void rv_breaker_succeeded(struct rv_breaker *breaker);
void rv_breaker_failed(struct rv_breaker *breaker, uint64_t now_ns);

/* ---- The client ---- */

struct rv_remote;

enum rv_remote_datatype { RV_REMOTE_INT32 = 0, RV_REMOTE_FP32 };

struct rv_remote_options {
    const char *host; /* a name or an address */
    uint16_t port;
    const char *model, *version; /* version may be NULL: the server's choice */
    const char *input;           /* name of the input tensor */
    enum rv_remote_datatype datatype;
    uint32_t deadline_ms;  /* 0: 50 */
    uint32_t failures_max; /* 0: 3 */
    uint32_t open_ms;      /* 0: 10,000 */
    struct rv_clock clock;
};

/** Strings are copied. @return 0; -EINVAL for missing names; -ENOMEM. Nothing is sent yet. */
RV_MUST_CHECK int rv_remote_new(const struct rv_remote_options *options,
                                struct rv_remote **ret_remote);
void rv_remote_free(struct rv_remote **remote);

/**
 * Score one row.
 * @param ret_score the last number of the first output.
 * @return 0; -ETIMEDOUT; -ECONNREFUSED for any failure to connect; -EPROTO for an answer that is no
 *         inference response; -EREMOTEIO if the server refused; -EBUSY if the breaker is open.
 */
RV_MUST_CHECK int rv_remote_score(struct rv_remote *remote, const int32_t *row, uint32_t width,
                                  double *ret_score);

/** Who gave a score. */
enum rv_score_source { RV_SCORE_LOCAL = 0, RV_SCORE_REMOTE };

/** The remote's score in Q16.16, or the local forest's when the remote has none in time. */
int64_t rv_remote_score_or_local(struct rv_remote *remote, const struct rv_forest *local,
                                 const int32_t *row, enum rv_score_source *ret_source);

/* ---- The protocol, by itself ---- */

/** Append the request's body. */
void rv_inference_request(struct rv_buf *buf, const char *input, enum rv_remote_datatype datatype,
                          const int32_t *row, uint32_t width);
/** @return 0; -EPROTO. */
RV_MUST_CHECK int rv_inference_response(struct rv_span body, double *ret_score);
